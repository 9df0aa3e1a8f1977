//! Deliveries in JSON.

use postrider_control::DeliveryRow;
use postrider_domain::delivery::DeliveryState;
use serde_json::{Value, json};

use crate::event_json;
use crate::links::link;

/// A delivery as listed.
pub(crate) fn write(row: &DeliveryRow) -> Value {
    let head = &row.delivery.event;
    json!({
        "sys": {
            "type": "Delivery",
            "id": row.id.to_string(),
            "space": link("Space", head.scope.space.as_str()),
            "environment": link("Environment", head.scope.environment.as_str()),
            "createdBy": link("WebhookDefinition", row.delivery.webhook.as_str()),
            "createdAt": head.accepted_at.to_string(),
            "updatedAt": row.updated_at.to_string(),
        },
        "event": event_json::summary(head),
        "webhook": row.delivery.webhook.as_str(),
        "generation": row.delivery.generation,
        "state": row.state.as_str(),
        "status": status(row),
        "attempt": row.attempt,
        "nextAt": row.next_at.map(|at| at.to_string()),
        "reason": row.reason,
        "supersededBy": row.superseded_by.map(|id| id.to_string()),
    })
}

/// DatoCMS's word for where it stands; ours where DatoCMS has none.
fn status(row: &DeliveryRow) -> &'static str {
    match row.state {
        DeliveryState::Pending if row.attempt > 0 => "rescheduled",
        DeliveryState::Delivered => "success",
        DeliveryState::GivenUp => "failed",
        other => other.as_str(),
    }
}

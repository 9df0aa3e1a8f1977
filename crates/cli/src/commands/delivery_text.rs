//! Deliveries as people read them.

use serde_json::Value;

use super::call_text::with_next;
use crate::output::{instant, table, text};

/// A delivery in a list.
pub(super) type Row = [String; 7];

/// A delivery as a row of [`listed`].
pub(super) fn row(delivery: &Value) -> Row {
    [
        format!("{} {}", text(delivery, "/event/topic"), text(delivery, "/event/id")),
        text(delivery, "/webhook"),
        generation(delivery),
        text(delivery, "/state"),
        text(delivery, "/attempt"),
        instant(delivery, "/sys/updatedAt"),
        why(delivery),
    ]
}

/// A list of deliveries, and how to see older ones.
pub(super) fn listed(rows: Vec<Row>, next: Option<String>) -> String {
    if rows.is_empty() {
        return "There is no such delivery.".to_owned();
    }
    let head = ["event", "webhook", "sent", "delivery", "calls", "changed (UTC)", "reason or next attempt"];
    with_next(table(head, rows), next)
}

/// What a resend began.
pub(super) fn resent(delivery: &Value) -> String {
    format!(
        "event {} is on its way to webhook {} again ({})\nWhat becomes of it: postrider events explain {0}",
        text(delivery, "/event/id"),
        text(delivery, "/webhook"),
        generation(delivery),
    )
}

/// Why it stands so, or when it goes on.
pub(super) fn why(delivery: &Value) -> String {
    match (delivery["reason"].as_str(), delivery["nextAt"].as_str()) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(_)) => instant(delivery, "/nextAt"),
        (None, None) => match delivery["supersededBy"].as_str() {
            Some(by) => format!("by {by}"),
            None => String::new(),
        },
    }
}

/// Generation 0 is the automatic one.
pub(super) fn generation(delivery: &Value) -> String {
    match delivery["generation"].as_u64() {
        Some(0) => "automatic".to_owned(),
        Some(again) => format!("resend {again}"),
        None => "-".to_owned(),
    }
}

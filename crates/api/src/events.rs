//! `/spaces/{space}/events/{event}…`, with or without an environment in the path: show, explain, send again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use postrider_control::events::{Explained, Explanation};
use postrider_control::{Control, FieldFault};
use postrider_domain::id::WebhookId;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::{call_json, delivery_json, event_json, links, schema};

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(explain))
        .routes(routes!(resend))
        .routes(routes!(show_in))
        .routes(routes!(explain_in))
}

/// Show an event
///
/// With its content, what was decided about each webhook, and its deliveries. It is there moments after it was accepted.
#[utoipa::path(
    get,
    path = "/spaces/{space}/events/{event}",
    operation_id = "getEvent",
    tag = "Events",
    responses(
        (status = 200, description = "The event.", body = schema::event::Event),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, event)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let row = control.event(&actor, &links::space(&space)?, None, &links::event(&event)?).await?;
    Answer::ok(&event_json::whole(&row))
}

/// Show an event of an environment
#[utoipa::path(
    get,
    path = "/spaces/{space}/environments/{environment}/events/{event}",
    operation_id = "getEnvironmentEvent",
    tag = "Events",
    responses(
        (status = 200, description = "The event.", body = schema::event::Event),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn show_in(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, environment, event)): Path<(String, String, String)>,
) -> ApiResult<Answer> {
    let environment = links::environment(&environment)?;
    let row =
        control.event(&actor, &links::space(&space)?, Some(&environment), &links::event(&event)?).await?;
    Answer::ok(&event_json::whole(&row))
}

/// Explain an event
///
/// Which rule decided for each webhook, which calls were made, what is pending and when.
#[utoipa::path(
    get,
    path = "/spaces/{space}/events/{event}/explain",
    operation_id = "explainEvent",
    tag = "Events",
    responses(
        (status = 200, description = "The explanation.", body = schema::event::Explanation),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn explain(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, event)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let explanation = control.explain(&actor, &links::space(&space)?, None, &links::event(&event)?).await?;
    Answer::ok(&write(&explanation))
}

/// Explain an event of an environment
#[utoipa::path(
    get,
    path = "/spaces/{space}/environments/{environment}/events/{event}/explain",
    operation_id = "explainEnvironmentEvent",
    tag = "Events",
    responses(
        (status = 200, description = "The explanation.", body = schema::event::Explanation),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn explain_in(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, environment, event)): Path<(String, String, String)>,
) -> ApiResult<Answer> {
    let environment = links::environment(&environment)?;
    let (space, event) = (links::space(&space)?, links::event(&event)?);
    let explanation = control.explain(&actor, &space, Some(&environment), &event).await?;
    Answer::ok(&write(&explanation))
}

/// Send an event again
///
/// To a webhook that it matched, with its latest settings, as the next generation of the delivery.
#[utoipa::path(
    post,
    path = "/spaces/{space}/events/{event}/resend",
    operation_id = "resendEvent",
    tag = "Events",
    request_body = schema::event::ResendBody,
    responses(
        (status = 202, description = "The new delivery; it goes out in a moment.", body = schema::delivery::Delivery),
        (status = 409, description = "The webhook is switched off."),
    ),
    extensions(("x-permission" = json!("calls:resend"))),
)]
async fn resend(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, event)): Path<(String, String)>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let webhook = read_webhook(&body)?;
    let delivery =
        control.resend_event(&actor, &links::space(&space)?, &links::event(&event)?, &webhook).await?;
    Answer::new(StatusCode::ACCEPTED, &delivery_json::write(&delivery))
}

fn read_webhook(body: &Map<String, Value>) -> ApiResult<WebhookId> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let given = fields.text("webhook");
    let fault = |name, problem: String| FieldFault::new("webhook", name, problem, "name the webhook's id");
    if given.is_none() && fields.raw("webhook").is_none() {
        faults.push(fault("required", "the webhook is missing".to_owned()));
    }
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    WebhookId::new(given.as_deref().unwrap_or_default())
        .map_err(|error| ApiError::invalid(vec![fault("format", error.to_string())]))
}

fn write(explanation: &Explanation) -> Value {
    let head = &explanation.event;
    json!({
        "sys": {
            "type": "EventExplanation",
            "id": head.id.as_str(),
            "space": links::link("Space", head.scope.space.as_str()),
            "environment": links::link("Environment", head.scope.environment.as_str()),
        },
        "event": event_json::summary(head),
        "webhooks": explanation.webhooks.iter().map(explained).collect::<Vec<_>>(),
        "unlisted": explanation.unlisted,
        "moreCalls": explanation.more_calls,
    })
}

fn explained(explained: &Explained) -> Value {
    let mut written = json!({"id": explained.webhook.as_str(), "name": explained.name});
    if let Some(decision) = &explained.decision {
        written["matched"] = json!(decision.verdict.matched);
        written["rule"] = json!(decision.verdict.rule.as_str());
        written["detail"] = json!(decision.verdict.detail);
        written["dueAt"] = json!(decision.due_at.map(|at| at.to_string()));
    }
    let deliveries = explained.deliveries.iter().map(|(delivery, calls)| {
        json!({
            "id": delivery.id.to_string(),
            "generation": delivery.delivery.generation,
            "state": delivery.state.as_str(),
            "attempt": delivery.attempt,
            "nextAt": delivery.next_at.map(|at| at.to_string()),
            "reason": delivery.reason,
            "supersededBy": delivery.superseded_by.map(|id| id.to_string()),
            "calls": calls.iter().map(call_json::brief).collect::<Vec<_>>(),
        })
    });
    written["deliveries"] = deliveries.collect();
    written
}

//! `/parked…`: what could not be processed, for who rules the instance.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_control::{Control, HeldDelivery, ParkedMessage};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::query::Params;
use crate::schema;

/// Messages in a list unless said otherwise, and at most.
const LISTED: usize = 100;
const MOST: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, discard)).routes(routes!(redrive))
}

/// List parked messages
///
/// What could not be processed, oldest first, without bodies. `pages.next` is there while there are more.
#[utoipa::path(
    get,
    path = "/parked",
    operation_id = "listParked",
    tag = "Instance",
    params(schema::query::ParkedQuery),
    responses(
        (status = 200, description = "The messages.", body = schema::parked::ParkedList),
    ),
    extensions(("x-permission" = json!("instance"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    params: Params,
) -> ApiResult<Answer> {
    let limit = params.only_cursor(LISTED, MOST)?;
    let after = params.get("cursor").map(|text| {
        let problem = "it is no cursor of this list";
        let number = text.parse().ok();
        number.ok_or_else(|| ApiError::bad_query("cursor", problem, "hand back what `pages` gave, unchanged"))
    });
    let page = control.parked(&actor, after.transpose()?, limit).await?;
    let mut body = json!({ "sys": { "type": "Array" }, "limit": limit, "pages": {} });
    body["items"] = page.messages.iter().map(head).collect();
    if let Some(last) = page.messages.last().filter(|_| page.more) {
        body["pages"]["next"] = json!(last.id.to_string());
    }
    Answer::ok(&body)
}

/// Show a parked message
///
/// With its body and the deliveries that wait for it.
#[utoipa::path(
    get,
    path = "/parked/{message}",
    operation_id = "getParked",
    tag = "Instance",
    responses(
        (status = 200, description = "The message.", body = schema::parked::WholeParkedMessage),
    ),
    extensions(("x-permission" = json!("instance"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> ApiResult<Answer> {
    Answer::ok(&whole(&control.parked_message(&actor, number(&id)?).await?))
}

/// Put a parked message back
///
/// Into the queue it came from, as a possible copy: what was done before is not done again. The deliveries that wait for it
/// are `pending` again.
#[utoipa::path(
    post,
    path = "/parked/{message}/redrive",
    operation_id = "redriveParked",
    tag = "Instance",
    responses(
        (status = 204, description = "It is back in its queue."),
        (status = 409, description = "It never was a message of a queue, so it cannot go back."),
    ),
    extensions(("x-permission" = json!("instance"))),
)]
async fn redrive(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    control.redrive(&actor, number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Drop a parked message
///
/// For ever. The deliveries that wait for it become `cancelled`, with the reason.
#[utoipa::path(
    delete,
    path = "/parked/{message}",
    operation_id = "dropParked",
    tag = "Instance",
    responses(
        (status = 204, description = "It is gone."),
    ),
    extensions(("x-permission" = json!("instance"))),
)]
async fn discard(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    control.drop_parked(&actor, number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn number(id: &str) -> ApiResult<i64> {
    id.parse().map_err(|_| ApiError::not_found("the id of a parked message is a whole number; this is none"))
}

fn head(message: &ParkedMessage) -> Value {
    json!({
        "sys": { "type": "ParkedMessage", "id": message.id.to_string() },
        "queue": message.queue,
        "reason": message.reason,
        "parkedAt": message.parked_at.to_string(),
        "deliveries": message.deliveries,
        "sizeBytes": message.body.len(),
    })
}

/// With the body: `body` if it is text, else `bodyBase64`; and with the deliveries that wait for it.
fn whole(message: &ParkedMessage) -> Value {
    let mut written = head(message);
    written["holds"] = message.holds.iter().map(held).collect();
    match std::str::from_utf8(&message.body) {
        Ok(text) => written["body"] = json!(text),
        Err(_) => written["bodyBase64"] = json!(STANDARD.encode(&message.body)),
    }
    written
}

fn held(held: &HeldDelivery) -> Value {
    let head = &held.delivery.event;
    json!({
        "delivery": held.delivery.id().to_string(),
        "space": head.scope.space.as_str(),
        "environment": head.scope.environment.as_str(),
        "event": head.id.as_str(),
        "webhook": held.delivery.webhook.as_str(),
        "generation": held.delivery.generation,
        "attempts": held.attempt,
    })
}

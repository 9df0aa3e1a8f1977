//! `/parked…`: what could not be processed, for who rules the instance.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_control::{Control, ParkedMessage};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::query::Params;

/// Messages in a list unless said otherwise, and at most.
const LISTED: usize = 100;
const MOST: usize = 1_000;

pub(crate) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/parked", get(list))
        .route("/parked/{id}", get(show).delete(discard))
        .route("/parked/{id}/redrive", post(redrive))
}

/// Oldest first, without bodies. `pages.next` is there while there are more.
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

async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> ApiResult<Answer> {
    Answer::ok(&whole(&control.parked_message(&actor, number(&id)?).await?))
}

async fn redrive(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    control.redrive(&actor, number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

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

/// With the body: `body` if it is text, else `bodyBase64`.
fn whole(message: &ParkedMessage) -> Value {
    let mut written = head(message);
    match std::str::from_utf8(&message.body) {
        Ok(text) => written["body"] = json!(text),
        Err(_) => written["bodyBase64"] = json!(STANDARD.encode(&message.body)),
    }
    written
}

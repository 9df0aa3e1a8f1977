//! `/spaces/{space}/webhooks/{id}/calls` and `…/health`: Contentful's activity log (under `webhooks`, not
//! `webhook_definitions`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use postrider_control::Control;
use postrider_control::calls::MOST_CALLS;
use serde_json::json;

use crate::answer::{Answer, array};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::query::Params;
use crate::{call_json, links};

pub(crate) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/spaces/{space}/webhooks/{id}/calls", get(list))
        .route("/spaces/{space}/webhooks/{id}/calls/{call}", get(show))
        .route("/spaces/{space}/webhooks/{id}/health", get(health))
}

async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Path<(String, String)>,
    params: Params,
) -> ApiResult<Answer> {
    let paging = params.paging(MOST_CALLS, MOST_CALLS)?;
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    let page = control.calls_of_webhook(&actor, &space, &id, (paging.skip, paging.limit)).await?;
    Answer::ok(&array(
        page.items.iter().map(call_json::overview).collect(),
        page.total,
        paging.skip,
        paging.limit,
    ))
}

async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id, call)): Path<(String, String, String)>,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    let found = control.call(&actor, &space, links::call(&call)?).await?;
    if found.delivery.webhook != id {
        return Err(ApiError::not_found(format!("there is no call {call} of webhook {id} here")));
    }
    Answer::ok(&call_json::details(&found))
}

async fn health(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    let health = control.health(&actor, &space, &id).await?;
    Answer::ok(&json!({
        "sys": {
            "type": "Webhook",
            "id": id.as_str(),
            "space": links::link("Space", space.as_str()),
            "createdBy": links::link("WebhookDefinition", id.as_str()),
        },
        "calls": {"total": health.total, "healthy": health.healthy},
    }))
}

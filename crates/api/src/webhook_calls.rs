//! `/spaces/{space}/webhooks/{id}/calls` and `…/health`: Contentful's activity log (under `webhooks`, not
//! `webhook_definitions`).

use std::sync::Arc;

use axum::extract::{Path, State};
use postrider_control::calls::MOST_CALLS;
use postrider_control::{Control, LogQuery};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, log_page};
use crate::caller::Caller;
use crate::cursor::Place;
use crate::error::{ApiError, ApiResult};
use crate::listing;
use crate::query::Params;
use crate::{call_json, links, schema};

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(health))
}

/// List the calls of a webhook
///
/// Newest first, as Contentful shows them. Those of a deleted webhook are there as long as the log keeps them.
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhooks/{webhook}/calls",
    operation_id = "listWebhookCalls",
    tag = "Calls",
    params(schema::query::CallOverviewQuery),
    responses(
        (status = 200, description = "The calls.", body = schema::call::CallOverviewList, headers(("Warning" = String, description = "What was ignored."))),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Path<(String, String)>,
    params: Params,
) -> ApiResult<Answer> {
    let paging = params.paging(MOST_CALLS, MOST_CALLS)?;
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    let (skip, page) = match params.older()? {
        None => {
            let part = (paging.skip, paging.limit);
            (paging.skip, control.calls_of_webhook(&actor, &space, &id, part).await?)
        }
        Some(cursor) => {
            let webhook = Some(id);
            let query =
                LogQuery { webhook, cursor: Some(cursor), limit: paging.limit, ..LogQuery::default() };
            (0, control.calls(&actor, &space, query).await?)
        }
    };
    let mut body = log_page(&page, call_json::overview, skip, paging.limit);
    body["pages"] = json!({"next": page.next.map(|cursor| Place::older(cursor).write())});
    Ok(Answer::ok(&body)?.warn(&params.ignored(&listing::KNOWN)))
}

/// Show a call of a webhook
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhooks/{webhook}/calls/{call}",
    operation_id = "getWebhookCall",
    tag = "Calls",
    responses(
        (status = 200, description = "The call.", body = schema::call::CallDetails),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
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

/// Show the health of a webhook
///
/// How many of its calls there are in the log, and how many succeeded, of the newest 10,000.
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhooks/{webhook}/health",
    operation_id = "getWebhookHealth",
    tag = "Calls",
    responses(
        (status = 200, description = "The health.", body = schema::webhook::Health),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
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

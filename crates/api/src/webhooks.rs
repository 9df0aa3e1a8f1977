//! `/spaces/{space}/webhook_definitions…`: Contentful's routes here, ours in `changes.rs` and `trials.rs`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use postrider_control::Control;
use postrider_control::draft::WebhookDraft;
use postrider_control::webhooks::SavedWebhook;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, array};
use crate::body::JsonText;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::links::WebhookPath;
use crate::query::Params;
use crate::{links, schema, webhook_json};

mod changes;
mod order;
mod pages;
mod select;
mod trials;

use pages::After;

/// The dialect of what is made in Contentful's media type and names none.
const CONTENTFUL: &str = "contentful";
/// What the list understands.
const KNOWN: [&str; 5] = ["skip", "limit", "cursor", "order", "select"];
/// Webhooks in one answer unless asked otherwise (Contentful's default), and at most.
const LISTED: (usize, usize) = (100, 1_000);

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, put, delete))
        .merge(changes::routes())
        .merge(trials::routes())
}

/// List webhooks
///
/// Newest first, unless `order` says otherwise.
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhook_definitions",
    operation_id = "listWebhooks",
    tag = "Webhooks",
    params(schema::query::WebhookQuery),
    responses(
        (status = 200, description = "The webhooks.", body = schema::webhook::WebhookList, headers(("Warning" = String, description = "What was ignored."))),
    ),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    params: Params,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    let paging = params.paging(LISTED.0, LISTED.1)?;
    let order = order::read(&params)?;
    let select = select::read(&params)?;
    let (part, skip) = match params.get("cursor").map(After::read).transpose()? {
        Some(_) if !order.is_empty() => {
            let fix = "leave one of them out; an ordered list goes on with `skip`";
            return Err(ApiError::bad_query("cursor", "it does not go with `order`", fix));
        }
        Some(after) => (pages::after(&control, &actor, &space, (after, paging.limit)).await?, 0),
        None => {
            let page = (paging.skip, paging.limit);
            let (webhooks, total) = control.webhooks(&actor, &space, &order, page).await?;
            (pages::part(webhooks, total, paging.skip), paging.skip)
        }
    };
    let whole = part.webhooks.iter().map(webhook_json::write);
    let items = match select {
        None => whole.collect(),
        Some(paths) => whole.map(|webhook| select::apply(&webhook, &paths)).collect(),
    };
    let mut body = array(items, part.total, skip, paging.limit);
    body["pages"] = json!({"next": part.next.filter(|_| order.is_empty())});
    Ok(Answer::ok(&body)?.warn(&params.ignored(&KNOWN)))
}

/// Make a webhook
///
/// Under a drawn id. The answer shows a drawn signing secret, this once.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions",
    operation_id = "createWebhook",
    tag = "Webhooks",
    request_body = schema::webhook_body::WebhookBody,
    responses(
        (status = 200, description = "The webhook was made.", body = schema::webhook::Webhook, headers(("Location" = String, description = "Where it lives, if it was made just now."), ("Warning" = String, description = "What was ignored or is odd."))),
        (status = 409, description = "The space has as many webhooks as it may have."),
    ),
    extensions(("x-permission" = json!("webhooks:create"))),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    body: JsonText,
) -> ApiResult<Answer> {
    let (draft, ignored) = read(&body);
    saved(&control.create_webhook(&actor, &links::space(&space)?, draft).await?, &ignored)
}

/// Show a webhook
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhook_definitions/{webhook}",
    operation_id = "getWebhook",
    tag = "Webhooks",
    responses(
        (status = 200, description = "The webhook.", body = schema::webhook::Webhook),
    ),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    path: WebhookPath,
) -> ApiResult<Answer> {
    let webhook = control.webhook(&actor, &path.space, &path.webhook).await?;
    Answer::ok(&webhook_json::write(&webhook))
}

/// Make or replace a webhook
///
/// Replaces it, or makes it under this id if there is none and `X-Contentful-Version` is left out or 0. Needs `webhooks:create`
/// to make one.
#[utoipa::path(
    put,
    path = "/spaces/{space}/webhook_definitions/{webhook}",
    operation_id = "putWebhook",
    tag = "Webhooks",
    params(schema::query::VersionHeader),
    request_body = schema::webhook_body::WebhookBody,
    responses(
        (status = 200, description = "The webhook as it is now.", body = schema::webhook::Webhook, headers(("Location" = String, description = "Where it lives, if it was made just now."), ("Warning" = String, description = "What was ignored or is odd."))),
        (status = 409, description = "The webhook has another version; `details` names both. Or the space has as many webhooks as it may have."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    path: WebhookPath,
    headers: HeaderMap,
    body: JsonText,
) -> ApiResult<Answer> {
    let (draft, ignored) = read(&body);
    let expected = expected(&headers)?;
    saved(&control.put_webhook(&actor, &path.space, &path.webhook, draft, expected).await?, &ignored)
}

/// Delete a webhook
///
/// What is pending for it becomes cancelled.
#[utoipa::path(
    delete,
    path = "/spaces/{space}/webhook_definitions/{webhook}",
    operation_id = "deleteWebhook",
    tag = "Webhooks",
    params(schema::query::VersionHeader),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "The webhook has another version; `details` names both."),
    ),
    extensions(("x-permission" = json!("webhooks:delete"))),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    path: WebhookPath,
    headers: HeaderMap,
) -> ApiResult<Response> {
    control.delete_webhook(&actor, &path.space, &path.webhook, expected(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Who speaks in Contentful's media type expects calls in its manner.
fn read(body: &JsonText) -> (WebhookDraft, Vec<String>) {
    let (draft, ignored) = webhook_json::read(&body.object, &body.bytes);
    let default_dialect = body.is_contentful.then(|| CONTENTFUL.to_owned());
    (WebhookDraft { default_dialect, ..draft }, ignored)
}

/// Always 200, as Contentful answers; a webhook made just now is named by `Location`.
fn saved(saved: &SavedWebhook, ignored: &[String]) -> ApiResult<Answer> {
    let answer = Answer::ok(&webhook_json::write_saved(saved))?.warn(&saved.warnings).warn(ignored);
    let webhook = &saved.webhook;
    Ok(if saved.created {
        answer.at(&format!("/spaces/{}/webhook_definitions/{}", webhook.space, webhook.id))
    } else {
        answer
    })
}

/// `X-Contentful-Version`: not needed, but enforced when it is given.
fn expected(headers: &HeaderMap) -> ApiResult<Option<u64>> {
    let Some(given) = headers.get("x-contentful-version") else { return Ok(None) };
    let version = given.to_str().ok().and_then(|text| text.trim().parse().ok());
    let refused =
        || ApiError::bad_request("X-Contentful-Version is no version; send `sys.version` as it was read");
    version.map(Some).ok_or_else(refused)
}

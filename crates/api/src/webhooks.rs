//! `/spaces/{space}/webhook_definitions…`: Contentful's routes, and test, enable, disable and signing secret.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use postrider_control::Control;
use postrider_control::webhooks::{Rotation, SavedWebhook};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, array};
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::query::Params;
use crate::{call_json, links, schema, webhook_json};

mod order;

/// Webhooks in one answer unless asked otherwise (Contentful's default), and at most.
const LISTED: (usize, usize) = (100, 1_000);

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, put, delete))
        .routes(routes!(test))
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(rotate))
}

type Ids = Path<(String, String)>;

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
    let paging = params.paging(LISTED.0, LISTED.1)?;
    let order = order::read(&params)?;
    let page = (paging.skip, paging.limit);
    let (webhooks, total) = control.webhooks(&actor, &links::space(&space)?, &order, page).await?;
    let items = webhooks.iter().map(webhook_json::write).collect();
    Answer::ok(&array(items, total, paging.skip, paging.limit))
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
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let (draft, ignored) = webhook_json::read(&body);
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
    Path((space, id)): Ids,
) -> ApiResult<Answer> {
    let webhook = control.webhook(&actor, &links::space(&space)?, &links::webhook(&id)?).await?;
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
    Path((space, id)): Ids,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let (draft, ignored) = webhook_json::read(&body);
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    saved(&control.put_webhook(&actor, &space, &id, draft, expected(&headers)?).await?, &ignored)
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
    Path((space, id)): Ids,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    control.delete_webhook(&actor, &space, &id, expected(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Test a webhook
///
/// Sends a sample `Entry.publish` once, right now, whether the webhook is switched on or not and whatever it subscribes to, and
/// answers with the call. The call is not logged.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/{webhook}/test",
    operation_id = "testWebhook",
    tag = "Webhooks",
    responses(
        (status = 200, description = "The call.", body = schema::call::CallDetails),
        (status = 409, description = "The webhook has a dialect that this version does not speak."),
        (status = 422, description = "The dialect cannot write this request."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn test(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Answer> {
    let call = control.test_webhook(&actor, &links::space(&space)?, &links::webhook(&id)?).await?;
    Answer::ok(&call_json::details(&call))
}

/// Switch a webhook on
///
/// What was cancelled meanwhile stays so.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/{webhook}/enable",
    operation_id = "enableWebhook",
    tag = "Webhooks",
    params(schema::query::VersionHeader),
    responses(
        (status = 200, description = "The webhook as it is now.", body = schema::webhook::Webhook),
        (status = 409, description = "The webhook has another version; `details` names both."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn enable(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
    headers: HeaderMap,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    let webhook = control.enable_webhook(&actor, &space, &id, expected(&headers)?).await?;
    Answer::ok(&webhook_json::write(&webhook))
}

/// Switch a webhook off
///
/// What is pending for it becomes cancelled.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/{webhook}/disable",
    operation_id = "disableWebhook",
    tag = "Webhooks",
    params(schema::query::VersionHeader),
    responses(
        (status = 200, description = "The webhook as it is now.", body = schema::webhook::Webhook),
        (status = 409, description = "The webhook has another version; `details` names both."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn disable(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
    headers: HeaderMap,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    let webhook = control.disable_webhook(&actor, &space, &id, expected(&headers)?).await?;
    Answer::ok(&webhook_json::write(&webhook))
}

/// Rotate the signing secret
///
/// The new secret signs first; the old ones sign beside it until the overlap is over. The answer shows a drawn secret, this
/// once, as `signing.secret`.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/{webhook}/signing_secret",
    operation_id = "rotateSigningSecret",
    tag = "Webhooks",
    params(schema::query::VersionHeader),
    request_body = Option<schema::webhook_body::RotationBody>,
    responses(
        (status = 200, description = "The webhook as it is now.", body = schema::webhook::Webhook),
        (status = 409, description = "The webhook has another version; `details` names both."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn rotate(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let rotation = read_rotation(&body)?;
    let (space, id) = (links::space(&space)?, links::webhook(&id)?);
    saved(&control.rotate_secret(&actor, &space, &id, &rotation, expected(&headers)?).await?, &[])
}

fn read_rotation(body: &Map<String, Value>) -> ApiResult<Rotation> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let rotation = Rotation { secret: fields.text("secret"), overlap: fields.duration("overlap") };
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    Ok(rotation)
}

/// Always 200, as Contentful answers; a webhook made just now is named by `Location`.
fn saved(saved: &SavedWebhook, ignored: &[String]) -> ApiResult<Answer> {
    let mut warnings: Vec<String> = saved.warnings.clone();
    warnings.extend(
        ignored.iter().map(|field| format!("ignored: {}", field.chars().take(64).collect::<String>())),
    );
    let answer = Answer::ok(&webhook_json::write_saved(saved))?.warn(&warnings);
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

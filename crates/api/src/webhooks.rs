//! `/spaces/{space}/webhook_definitions…`: Contentful's routes, and test, enable, disable and signing secret.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use postrider_control::Control;
use postrider_control::webhooks::{Rotation, SavedWebhook};
use serde_json::{Map, Value};

use crate::answer::{Answer, array};
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::query::Params;
use crate::{call_json, links, webhook_json};

mod order;

/// Webhooks in one answer unless asked otherwise (Contentful's default), and at most.
const LISTED: (usize, usize) = (100, 1_000);

pub(crate) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/spaces/{space}/webhook_definitions", get(list).post(create))
        .route("/spaces/{space}/webhook_definitions/{id}", get(show).put(put).delete(delete))
        .route("/spaces/{space}/webhook_definitions/{id}/test", post(test))
        .route("/spaces/{space}/webhook_definitions/{id}/enable", post(enable))
        .route("/spaces/{space}/webhook_definitions/{id}/disable", post(disable))
        .route("/spaces/{space}/webhook_definitions/{id}/signing_secret", post(rotate))
}

type Ids = Path<(String, String)>;

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

async fn create(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let (draft, ignored) = webhook_json::read(&body);
    saved(&control.create_webhook(&actor, &links::space(&space)?, draft).await?, &ignored)
}

async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Answer> {
    let webhook = control.webhook(&actor, &links::space(&space)?, &links::webhook(&id)?).await?;
    Answer::ok(&webhook_json::write(&webhook))
}

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

async fn test(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Answer> {
    let call = control.test_webhook(&actor, &links::space(&space)?, &links::webhook(&id)?).await?;
    Answer::ok(&call_json::details(&call))
}

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

/// `{"secret": …, "overlap": …}`, both optional. The answer shows a drawn secret once, as `signing.secret`.
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

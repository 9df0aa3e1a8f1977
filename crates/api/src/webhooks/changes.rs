//! Changes of one thing: on, off, and the signing secret.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use postrider_control::Control;
use postrider_control::webhooks::Rotation;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{expected, saved};
use crate::answer::Answer;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::fields::{Faults, Fields};
use crate::links::WebhookPath;
use crate::{schema, webhook_json};

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(enable)).routes(routes!(disable)).routes(routes!(rotate))
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
    path: WebhookPath,
    headers: HeaderMap,
) -> ApiResult<Answer> {
    let webhook =
        control.switch_webhook(&actor, &path.space, &path.webhook, true, expected(&headers)?).await?;
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
    path: WebhookPath,
    headers: HeaderMap,
) -> ApiResult<Answer> {
    let webhook =
        control.switch_webhook(&actor, &path.space, &path.webhook, false, expected(&headers)?).await?;
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
    path: WebhookPath,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let rotation = read_rotation(&body)?;
    saved(
        &control.rotate_secret(&actor, &path.space, &path.webhook, &rotation, expected(&headers)?).await?,
        &[],
    )
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

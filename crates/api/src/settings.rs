//! `/spaces/{space}/webhook_settings…`: what a space has settled for all its webhooks, in Contentful's shape.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use postrider_control::space_settings::SigningSecret;
use postrider_control::{Control, FieldFault};
use postrider_domain::id::SpaceId;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::links::{self, link};
use crate::schema;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(show_secret, put_secret, delete_secret))
        .routes(routes!(show_policy, put_policy, delete_policy))
        .routes(routes!(public_keys))
}

/// Show the space's signing secret
///
/// Its last four characters, to tell which one it is.
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhook_settings/signing_secret",
    operation_id = "getSigningSecret",
    tag = "Settings",
    responses((status = 200, description = "The secret, redacted.", body = schema::settings::SpaceSecret)),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn show_secret(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    Answer::ok(&write_secret(&space, &control.signing_secret(&actor, &space).await?))
}

/// Set the space's signing secret
///
/// It signs the requests of the dialects whose CMS has one secret per space (Contentful), from the next request on; the one
/// before stops signing.
#[utoipa::path(
    put,
    path = "/spaces/{space}/webhook_settings/signing_secret",
    operation_id = "putSigningSecret",
    tag = "Settings",
    request_body = schema::settings::SpaceSecretBody,
    responses(
        (status = 200, description = "The secret, redacted.", body = schema::settings::SpaceSecret,
            headers(("Warning" = String, description = "What was ignored."))),
        (status = 409, description = "Others change the settings all the time."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn put_secret(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    let (value, ignored) = read(&body, ("value", "give the secret, 64 characters"), |fields| {
        fields.raw("redactedValue");
        fields.text("value")
    })?;
    let saved = control.put_signing_secret(&actor, &space, value).await?;
    Ok(Answer::ok(&write_secret(&space, &saved))?.warn(&ignored))
}

/// Delete the space's signing secret
///
/// What it signed goes out unsigned from now on.
#[utoipa::path(
    delete,
    path = "/spaces/{space}/webhook_settings/signing_secret",
    operation_id = "deleteSigningSecret",
    tag = "Settings",
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "Others change the settings all the time."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn delete_secret(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Response> {
    control.delete_signing_secret(&actor, &links::space(&space)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Show the space's retry policy
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhook_settings/retry_policy",
    operation_id = "getRetryPolicy",
    tag = "Settings",
    responses((status = 200, description = "The policy.", body = schema::settings::SpaceRetryPolicy)),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn show_policy(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    Answer::ok(&write_policy(&space, control.retry_policy(&actor, &space).await?))
}

/// Set the space's retry policy
///
/// How often failed calls are repeated, for webhooks without a `retryPolicy` of their own.
#[utoipa::path(
    put,
    path = "/spaces/{space}/webhook_settings/retry_policy",
    operation_id = "putRetryPolicy",
    tag = "Settings",
    request_body = schema::settings::SpaceRetryPolicyBody,
    responses(
        (status = 200, description = "The policy as it is now.", body = schema::settings::SpaceRetryPolicy,
            headers(("Warning" = String, description = "What was ignored."))),
        (status = 409, description = "Others change the settings all the time."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn put_policy(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    let (retries, ignored) =
        read(&body, ("maxRetries", "give 2 to 99"), |fields| fields.integer("maxRetries"))?;
    let retries = control.put_retry_policy(&actor, &space, retries).await?;
    Ok(Answer::ok(&write_policy(&space, retries))?.warn(&ignored))
}

/// Delete the space's retry policy
///
/// Each webhook is retried as its dialect says again.
#[utoipa::path(
    delete,
    path = "/spaces/{space}/webhook_settings/retry_policy",
    operation_id = "deleteRetryPolicy",
    tag = "Settings",
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "Others change the settings all the time."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn delete_policy(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Response> {
    control.delete_retry_policy(&actor, &links::space(&space)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Get the space's public key
///
/// With which a receiver verifies calls of the dialect `contentstack`, in the form in which Contentstack publishes its own. It
/// is there once the space has a webhook of that dialect.
#[utoipa::path(
    get,
    path = "/spaces/{space}/.well-known/public-keys.json",
    operation_id = "getPublicKeys",
    tag = "Settings",
    responses(
        (status = 200, description = "The key.", body = schema::settings::PublicKeys),
        (status = 404, description = "There is no such space, or it has no key."),
    ),
    extensions(("x-permission" = json!("public"))),
)]
async fn public_keys(State(control): State<Arc<Control>>, Path(space): Path<String>) -> ApiResult<Response> {
    let keys = control.public_keys(&links::space(&space)?).await?;
    Ok(([(CONTENT_TYPE, "application/json")], keys).into_response())
}

/// The one field of a body, which must be there, and what was ignored beside it.
fn read<T>(
    body: &Map<String, Value>,
    (name, fix): (&'static str, &str),
    field: impl Fn(&Fields<'_>) -> Option<T>,
) -> ApiResult<(T, Vec<String>)> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let value = field(&fields);
    if value.is_none() && fields.raw(name).is_none() {
        faults.push(FieldFault::new(name, "required", "it is missing", fix));
    }
    fields.raw("sys");
    fields.ignore_unread();
    drop(fields);
    let (found, ignored) = faults.into_parts();
    value.filter(|_| found.is_empty()).map(|value| (value, ignored)).ok_or_else(|| ApiError::invalid(found))
}

fn write_secret(space: &SpaceId, secret: &SigningSecret) -> Value {
    json!({
        "sys": {
            "type": "WebhookSigningSecret",
            "space": link("Space", space.as_str()),
            "createdAt": secret.created_at.to_string(),
            "createdBy": link("User", &secret.created_by),
        },
        "redactedValue": secret.last_four,
    })
}

fn write_policy(space: &SpaceId, retries: u32) -> Value {
    let sys = json!({"type": "WebhookRetryPolicy", "space": link("Space", space.as_str())});
    json!({"sys": sys, "maxRetries": retries})
}

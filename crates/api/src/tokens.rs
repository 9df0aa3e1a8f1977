//! `/tokens…`: making, listing and revoking access tokens.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postrider_control::tokens::TokenDraft;
use postrider_control::{Control, FieldFault};
use postrider_domain::id::{SpaceId, TokenId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Permission, Role, Token};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::listing::{self, part};
use crate::query::Params;
use crate::schema;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(me))
}

/// List tokens
///
/// The tokens that the caller may manage, oldest first: those of its space, or all with a token of the instance. Other
/// parameters are refused.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "listTokens",
    tag = "Tokens",
    params(schema::query::PageQuery),
    responses(
        (status = 200, description = "The tokens.", body = schema::token::TokenList),
    ),
    extensions(("x-permission" = json!("tokens:manage"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    params: Params,
) -> ApiResult<Answer> {
    params.refuse_unknown(&listing::KNOWN)?;
    let tokens = control.tokens(&actor).await?;
    // Milliseconds since 1970 have 13 digits until 2286.
    let key = |token: &Token| format!("{:013}.{}", token.created_at.unix_ms(), token.id);
    Answer::ok(&part(tokens, &params, key, write)?)
}

/// Make a token
///
/// The answer shows the token itself, this once. A token of one space makes tokens of that space; one of the whole instance
/// makes any.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "createToken",
    tag = "Tokens",
    request_body = schema::token::TokenBody,
    responses(
        (status = 201, description = "The token was made.", body = schema::token::NewToken, headers(("Location" = String, description = "Where it lives."))),
        (status = 404, description = "There is no such space, or none that the token reaches."),
        (status = 409, description = "The space has as many tokens as it may have."),
    ),
    extensions(("x-permission" = json!("tokens:manage"))),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let made = control.create_token(&actor, read(&body)?).await?;
    let mut written = write(&made.token);
    written["token"] = json!(made.secret.reveal());
    Ok(Answer::new(StatusCode::CREATED, &written)?.at(&format!("/tokens/{}", made.token.id)))
}

/// Revoke a token
///
/// At once for management; the doors of events take it a few seconds longer. The last lasting token that rules the instance
/// cannot be revoked.
#[utoipa::path(
    delete,
    path = "/tokens/{token}",
    operation_id = "revokeToken",
    tag = "Tokens",
    responses(
        (status = 204, description = "It is revoked."),
        (status = 409, description = "It is the last lasting token that rules the instance."),
    ),
    extensions(("x-permission" = json!("tokens:manage"))),
)]
async fn revoke(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let id = TokenId::new(&id).map_err(|error| ApiError::not_found(error.to_string()))?;
    control.revoke_token(&actor, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Show who asks
///
/// The token of the request, as Contentful describes a user.
#[utoipa::path(
    get,
    path = "/users/me",
    operation_id = "getMe",
    tag = "Tokens",
    responses(
        (status = 200, description = "Who the token is.", body = schema::token::User),
    ),
    extensions(("x-permission" = json!("any"))),
)]
async fn me(Caller(actor): Caller) -> ApiResult<Answer> {
    let grant = &actor.grant;
    Answer::ok(&json!({
        "sys": {"type": "User", "id": actor.token.as_str()},
        "firstName": actor.name,
        "role": grant.role.as_str(),
        "permissions": permissions(grant.role),
        "space": grant.space.as_ref().map_or("*", SpaceId::as_str),
    }))
}

/// `{"name", "role", "space", "expiresAt"}`; the space is `*` for the whole instance.
fn read(body: &Map<String, Value>) -> ApiResult<TokenDraft> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let required = |key: &'static str, fix: &str| {
        let text = fields.text(key);
        if text.is_none() && fields.raw(key).is_none() {
            faults.push(FieldFault::new(key, "required", "it is missing", fix));
        }
        text
    };
    let name = required("name", "say what the token is for");
    let roles = Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    let role = required("role", &format!("use one of {roles}"));
    let role = role.and_then(|text| {
        let role = Role::parse(&text);
        if role.is_none() {
            let fault = FieldFault::new("role", "in", "there is no such role", format!("use one of {roles}"));
            faults.push(fault.given(&text));
        }
        role
    });
    let space = required("space", "name a space, or * for all of the instance").filter(|text| text != "*");
    let space = space.and_then(|text| {
        let fault = |error: &dyn std::fmt::Display| {
            faults.push(FieldFault::new("space", "format", error.to_string(), "name a space, or *"));
        };
        SpaceId::new(&text).map_err(|error| fault(&error)).ok()
    });
    let expires_at = fields.text("expiresAt").and_then(|text| {
        let fault = |error: &dyn std::fmt::Display| {
            faults.push(FieldFault::new(
                "expiresAt",
                "format",
                error.to_string(),
                "give an instant, or leave it out",
            ));
        };
        Timestamp::parse(&text).map_err(|error| fault(&error)).ok()
    });
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    let (Some(name), Some(role)) = (name, role) else {
        return Err(ApiError::bad_request("name and role are missing"));
    };
    Ok(TokenDraft { name, role, space, expires_at })
}

fn write(token: &Token) -> Value {
    json!({
        "sys": {"type": "Token", "id": token.id.as_str(), "createdAt": token.created_at.to_string()},
        "name": token.name,
        "prefix": token.prefix,
        "role": token.grant.role.as_str(),
        "permissions": permissions(token.grant.role),
        "space": token.grant.space.as_ref().map_or("*", SpaceId::as_str),
        "expiresAt": token.expires_at.map(|at| at.to_string()),
        "revokedAt": token.revoked_at.map(|at| at.to_string()),
    })
}

fn permissions(role: Role) -> Vec<&'static str> {
    role.permissions().iter().copied().map(Permission::as_str).collect()
}

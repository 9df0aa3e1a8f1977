//! `/tokens…`: making, listing and revoking access tokens.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use postrider_control::tokens::TokenDraft;
use postrider_control::{Control, FieldFault};
use postrider_domain::id::{SpaceId, TokenId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Permission, Role, Token};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, array};
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};

pub(crate) fn routes() -> Router<Arc<Control>> {
    Router::new().route("/tokens", get(list).post(create)).route("/tokens/{id}", delete(revoke))
}

async fn list(State(control): State<Arc<Control>>, Caller(actor): Caller) -> ApiResult<Answer> {
    let tokens = control.tokens(&actor).await?;
    let total = tokens.len();
    Answer::ok(&array(tokens.iter().map(write).collect(), total, 0, total))
}

/// 201 with the token itself as `token`, this once.
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

async fn revoke(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let id = TokenId::new(&id).map_err(|error| ApiError::not_found(error.to_string()))?;
    control.revoke_token(&actor, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
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
    let permissions: Vec<_> =
        token.grant.role.permissions().iter().copied().map(Permission::as_str).collect();
    json!({
        "sys": {"type": "Token", "id": token.id.as_str(), "createdAt": token.created_at.to_string()},
        "name": token.name,
        "prefix": token.prefix,
        "role": token.grant.role.as_str(),
        "permissions": permissions,
        "space": token.grant.space.as_ref().map_or("*", SpaceId::as_str),
        "expiresAt": token.expires_at.map(|at| at.to_string()),
        "revokedAt": token.revoked_at.map(|at| at.to_string()),
    })
}

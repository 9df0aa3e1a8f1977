//! Contentful's links, and ids as they stand in paths.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use postrider_domain::id::{
    CallId, ConnectionId, EnvironmentId, EventId, InvalidId, SourceId, SpaceId, WebhookId,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};

/// The space and the webhook of `/spaces/{space}/webhook_definitions/{webhook}…`. Where a route says `preview` instead of
/// `{webhook}`, that is the webhook's id.
#[derive(Debug)]
pub(crate) struct WebhookPath {
    pub(crate) space: SpaceId,
    pub(crate) webhook: WebhookId,
}

impl<S: Send + Sync> FromRequestParts<S> for WebhookPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let unreadable = |_| ApiError::bad_request("the path is not UTF-8 once percent-decoded; correct it");
        let named = RawPathParams::from_request_parts(parts, state).await.map_err(unreadable)?;
        let of = |wanted| named.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let space = space(of("space").unwrap_or_default())?;
        Ok(Self { space, webhook: webhook(of("webhook").unwrap_or("preview"))? })
    }
}

/// A link to something else.
pub(crate) fn link(kind: &str, id: &str) -> Value {
    json!({"sys": {"type": "Link", "linkType": kind, "id": id}})
}

/// A text that is no id names nothing that exists.
fn segment<T>(read: Result<T, InvalidId>) -> ApiResult<T> {
    read.map_err(|error| ApiError::not_found(error.to_string()))
}

pub(crate) fn space(text: &str) -> ApiResult<SpaceId> {
    segment(SpaceId::new(text))
}

pub(crate) fn environment(text: &str) -> ApiResult<EnvironmentId> {
    segment(EnvironmentId::new(text))
}

pub(crate) fn webhook(text: &str) -> ApiResult<WebhookId> {
    segment(WebhookId::new(text))
}

pub(crate) fn source(text: &str) -> ApiResult<SourceId> {
    segment(SourceId::new(text))
}

pub(crate) fn connection(text: &str) -> ApiResult<ConnectionId> {
    segment(ConnectionId::new(text))
}

pub(crate) fn event(text: &str) -> ApiResult<EventId> {
    segment(EventId::new(text))
}

pub(crate) fn call(text: &str) -> ApiResult<CallId> {
    let id = Uuid::parse_str(text).map_err(|_| ApiError::not_found("a call id is a UUID; this is none"))?;
    Ok(CallId(id))
}

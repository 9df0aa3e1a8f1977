//! Who calls: the bearer token of a request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use postrider_control::{Actor, Control};

use crate::error::ApiError;

/// The actor behind a request. Extracted before the body is read.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Actor);

impl FromRequestParts<Arc<Control>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, ApiError> {
        let missing = "there is no access token; send the header `Authorization: Bearer <token>`";
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| ApiError::unauthenticated(missing))?;
        let token = header.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| {
            // The scheme's case does not matter (RFC 9110 §11.1).
            scheme.eq_ignore_ascii_case("bearer")
        });
        let (_, token) = token.ok_or_else(|| ApiError::unauthenticated(missing))?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Ok(Self(control.authenticate(token.trim(), peer).await?))
    }
}

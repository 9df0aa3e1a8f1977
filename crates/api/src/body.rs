//! Request bodies: one JSON object, bounded.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::MEDIA_TYPE;
use crate::error::ApiError;

/// Longest body: 256 KiB hold a webhook with 1,000 ids in every list.
const LONGEST: usize = 256 * 1024;

/// A JSON object. No body at all is an empty object.
#[derive(Debug)]
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

/// A JSON object with its text, for a field that is to be passed on byte for byte.
#[derive(Debug)]
pub(crate) struct JsonText {
    pub(crate) object: Map<String, Value>,
    pub(crate) bytes: Bytes,
    /// Whether it came as Contentful's media type.
    pub(crate) is_contentful: bool,
}

impl<S: Send + Sync> FromRequest<S> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(JsonText::from_request(request, state).await?.object))
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, LONGEST).await.map_err(|_| too_large())?;
        if bytes.is_empty() {
            return Ok(Self { object: Map::new(), bytes, is_contentful: false });
        }
        let is_contentful = is_contentful(&parts.headers)?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            ApiError::bad_request(format!("the body is no JSON: {error}; mend it there and send it again"))
        })?;
        match value {
            Value::Object(object) => Ok(Self { object, bytes, is_contentful }),
            _ => Err(ApiError::bad_request("the body is JSON but no object; send {…}")),
        }
    }
}

impl JsonText {
    /// A field's value as it was written, byte for byte; `null` if it is not there.
    pub(crate) fn text_of(&self, field: &str) -> String {
        text_at(&self.bytes, &[field])
    }
}

/// The value at a path of a JSON object, as it was written; `null` if it is not there.
pub(crate) fn text_at(json: &[u8], path: &[&str]) -> String {
    let mut place = std::str::from_utf8(json).unwrap_or("null");
    for name in path {
        let fields: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(place).unwrap_or_default();
        place = fields.get(*name).map_or("null", |value| value.get());
    }
    place.to_owned()
}

/// `curl -d` alone sends a form: naming the right type is the whole help its user needs.
fn is_contentful(headers: &HeaderMap) -> Result<bool, ApiError> {
    let Some(given) = headers.get(CONTENT_TYPE) else { return Ok(false) };
    let given = String::from_utf8_lossy(given.as_bytes());
    let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if [MEDIA_TYPE, "application/json"].contains(&media.as_str()) {
        return Ok(media == MEDIA_TYPE);
    }
    let shown: String = given.chars().take(80).collect();
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        format!("the body is {shown}; send JSON with `Content-Type: application/json` or `{MEDIA_TYPE}`"),
    ))
}

fn too_large() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "PayloadTooLarge",
        "the body could not be read or has more than 256 KiB; send less",
    )
}

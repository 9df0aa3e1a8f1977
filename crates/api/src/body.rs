//! Request bodies: one JSON object, bounded.

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
    bytes: Bytes,
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
            return Ok(Self { object: Map::new(), bytes });
        }
        check_media_type(&parts.headers)?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            ApiError::bad_request(format!("the body is no JSON: {error}; mend it there and send it again"))
        })?;
        match value {
            Value::Object(object) => Ok(Self { object, bytes }),
            _ => Err(ApiError::bad_request("the body is JSON but no object; send {…}")),
        }
    }
}

impl JsonText {
    /// A field's value as it was written, byte for byte; `null` if it is not there.
    pub(crate) fn text_of(&self, field: &str) -> String {
        let fields: HashMap<&str, &RawValue> = serde_json::from_slice(&self.bytes).unwrap_or_default();
        fields.get(field).map_or("null", |value| value.get()).to_owned()
    }
}

/// `curl -d` alone sends a form: naming the right type is the whole help its user needs.
fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(given) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let given = String::from_utf8_lossy(given.as_bytes());
    let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if [MEDIA_TYPE, "application/json"].contains(&media.as_str()) {
        return Ok(());
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

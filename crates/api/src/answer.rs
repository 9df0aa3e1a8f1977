//! Answers that succeeded.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postrider_control::{EXACT_TOTAL, Page, PortError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::MEDIA_TYPE;
use crate::error::{ApiError, ApiResult};

/// A JSON answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: &impl Serialize) -> ApiResult<Self> {
        let body = serde_json::to_string(body)
            .map_err(|error| ApiError::from(PortError::permanent("writing an answer").because(error)))?;
        Ok(Self { status, body, headers: Vec::new() })
    }

    pub(crate) fn ok(body: &impl Serialize) -> ApiResult<Self> {
        Self::new(StatusCode::OK, body)
    }

    /// Names where the thing lives. A path that no header can carry is left out.
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(path).ok().map(|path| (header::LOCATION, path)));
        self
    }

    /// Adds what is odd but was taken, as `Warning: 199 postrider "…"` (RFC 7234 §5.5).
    pub(crate) fn warn(mut self, warnings: &[String]) -> Self {
        for warning in warnings {
            let sendable = |one: char| if one.is_ascii_graphic() || one == ' ' { one } else { '?' };
            let text: String =
                warning.chars().filter(|one| !matches!(one, '"' | '\\')).map(sendable).collect();
            let value = HeaderValue::from_str(&format!("199 postrider \"{text}\""));
            self.headers.extend(value.ok().map(|value| (header::WARNING, value)));
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// A page of the log, whose total may be more than was counted.
pub(crate) fn log_page<T>(page: &Page<T>, write: impl Fn(&T) -> Value, skip: usize, limit: usize) -> Value {
    let mut list = array(page.items.iter().map(write).collect(), page.total, skip, limit);
    if page.at_least {
        list["totalIsAtLeast"] = json!(true);
    }
    list
}

/// A list with skip and limit, as Contentful writes it.
pub(crate) fn array(items: Vec<Value>, total: usize, skip: usize, limit: usize) -> Value {
    let mut list = json!({"sys": {"type": "Array"}, "total": total, "skip": skip, "limit": limit});
    list["items"] = Value::Array(items);
    if total >= EXACT_TOTAL {
        list["totalIsAtLeast"] = json!(true);
    }
    list
}

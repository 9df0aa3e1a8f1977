//! Errors as Contentful writes them: `sys.id`, `message`, `details.errors`, `requestId`.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use postrider_control::{ControlError, FieldFault, PortError, PortErrorKind, Unauthenticated};
use serde_json::{Value, json};
use tracing::error;

/// Seconds after which a request is worth trying again when a part of the system was away.
const TRY_AGAIN: &str = "2";

/// An error answer, before its request id is known.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// `sys.id`: which kind of error, stable.
    pub(crate) id: &'static str,
    pub(crate) message: String,
    pub(crate) faults: Vec<FieldFault>,
    /// The headers that some errors carry.
    headers: Vec<(&'static str, HeaderValue)>,
    /// With a version mismatch: which was expected, and which there is.
    versions: Option<(u64, u64)>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into(), faults: Vec::new(), headers: Vec::new(), versions: None }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// The request as such cannot be understood.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// A query parameter cannot be taken.
    pub(crate) fn bad_query(name: &str, problem: &str, fix: &str) -> Self {
        let message = format!("the query parameter {name} cannot be taken: {problem}; {fix}");
        let fault = FieldFault::new(name, "query", problem, fix);
        Self { faults: vec![fault], ..Self::new(StatusCode::BAD_REQUEST, "InvalidQuery", message) }
    }

    pub(crate) fn invalid(faults: Vec<FieldFault>) -> Self {
        ControlError::Invalid(faults).into()
    }

    /// The token is missing, wrong or over.
    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::UNAUTHORIZED, "AccessTokenInvalid", message);
        Self { headers: vec![("www-authenticate", HeaderValue::from_static("Bearer"))], ..error }
    }

    /// The body, with the request's id.
    pub(crate) fn body(&self, request_id: &str) -> Value {
        let mut body = json!({
            "sys": {"type": "Error", "id": self.id},
            "message": self.message,
            "requestId": request_id,
        });
        if !self.faults.is_empty() {
            body["details"] = json!({"errors": self.faults.iter().map(fault).collect::<Vec<_>>()});
        }
        if let Some((expected, current)) = self.versions {
            body["details"] = json!({"expected": expected, "current": current});
        }
        body
    }
}

fn fault(fault: &FieldFault) -> Value {
    let mut written = json!({
        "name": fault.name,
        "path": fault.path,
        "details": fault.problem,
        "fix": fault.fix,
    });
    if let Some(value) = &fault.value {
        written["value"] = json!(value);
    }
    written
}

/// The body is written by `finish.rs`, which knows the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(*name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let message = error.to_string();
        match error {
            ControlError::NotFound(_) => Self::not_found(message),
            ControlError::Denied { .. } => Self::new(StatusCode::FORBIDDEN, "AccessDenied", message),
            ControlError::Invalid(faults) => {
                let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "ValidationFailed", message);
                Self { faults, ..error }
            }
            ControlError::VersionMismatch { current, given } => {
                let error = Self::new(StatusCode::CONFLICT, "VersionMismatch", message);
                Self { versions: Some((given, current)), ..error }
            }
            ControlError::Conflict(_) => Self::new(StatusCode::CONFLICT, "Conflict", message),
            ControlError::Outside(_) => Self::new(StatusCode::BAD_GATEWAY, "BadGateway", message),
            ControlError::Unavailable(error) => error.into(),
        }
    }
}

/// What exactly failed is for the operator's log; the client learns whether trying again can help.
impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        error!(error = %error, "management could not use a part of the system");
        if error.kind == PortErrorKind::Permanent {
            return Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "ServerError",
                "something stored cannot be used; the operator finds what in the log, under this request's time",
            );
        }
        let message = "a part of the system is away at the moment; nothing is lost, try again in a moment";
        let answer = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        Self { headers: vec![("retry-after", HeaderValue::from_static(TRY_AGAIN))], ..answer }
    }
}

impl From<Unauthenticated> for ApiError {
    fn from(error: Unauthenticated) -> Self {
        match error {
            Unauthenticated::Unavailable(error) => error.into(),
            Unauthenticated::Throttled { retry_after, .. } => {
                // A begun second counts: asked again too early, the answer would be the same.
                let seconds =
                    u64::try_from(retry_after.as_millis().div_ceil(1000).max(1)).unwrap_or(u64::MAX);
                let seconds = HeaderValue::from(seconds);
                let answer = Self::new(StatusCode::TOO_MANY_REQUESTS, "RateLimitExceeded", error.to_string());
                // Contentful's client waits as long as the second one says.
                let headers =
                    ["retry-after", "x-contentful-ratelimit-reset"].map(|name| (name, seconds.clone()));
                Self { headers: headers.into(), ..answer }
            }
            refused => Self::unauthenticated(refused.to_string()),
        }
    }
}

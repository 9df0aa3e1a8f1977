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
    /// Name and value of the one header that some errors carry.
    header: Option<(&'static str, &'static str)>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into(), faults: Vec::new(), header: None }
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
        Self { header: Some(("www-authenticate", "Bearer")), ..error }
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
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
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
            ControlError::VersionMismatch { .. } => {
                Self::new(StatusCode::CONFLICT, "VersionMismatch", message)
            }
            ControlError::Conflict(_) => Self::new(StatusCode::CONFLICT, "Conflict", message),
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
        Self { header: Some(("retry-after", TRY_AGAIN)), ..answer }
    }
}

impl From<Unauthenticated> for ApiError {
    fn from(error: Unauthenticated) -> Self {
        match error {
            Unauthenticated::Unavailable(error) => error.into(),
            refused => Self::unauthenticated(refused.to_string()),
        }
    }
}

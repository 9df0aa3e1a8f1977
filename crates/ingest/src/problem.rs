//! Every way to refuse. A door shows a problem in its own manner: HTTP as status and JSON, a queue as the reason of a
//! parked message.

use std::fmt::Write;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postrider_dialects::ReadError;
use postrider_ports::error::PortError;
use serde::Serialize;
use serde_json::json;
use thiserror::Error;
use tracing::{error, warn};

/// Longest list of faults in one answer: nobody mends more at once.
const MOST_DETAILS: usize = 100;
/// Longest list of faults in one line: with places and texts of usual length it stays below 4 KiB.
const MOST_IN_A_LINE: usize = 10;

/// Why something is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Problem {
    /// The class.
    pub kind: Kind,
    /// What, in a sentence.
    pub message: String,
    /// How to mend it.
    pub fix: String,
    /// Each single fault, where there are several places.
    pub details: Vec<Detail>,
    /// When it makes sense to try again.
    pub retry_after: Option<Duration>,
}

/// One fault of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Which event of the request, from 0.
    pub index: usize,
    /// Where in it: a JSON pointer or a header; empty for the whole event.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub fix: String,
}

/// The classes of problems: a status for machines, a code for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bytes are no UTF-8.
    InvalidUtf8,
    /// The routing key does not say space, environment, type and action.
    InvalidRoutingKey,
    /// The text is no JSON.
    MalformedJson,
    /// The body broke off.
    BrokenBody,
    /// No token, key or signature, or none that counts.
    Unauthenticated,
    /// The token may not do this here.
    Forbidden,
    /// No such space or environment.
    NotFound,
    /// The address takes POST only.
    WrongMethod,
    /// The body came too slowly.
    TooSlow,
    /// The id was given to another event.
    IdTaken,
    /// Too many bytes or too many events.
    TooLarge,
    /// No form that is read here.
    UnsupportedMediaType,
    /// An event breaks a rule.
    InvalidEvent,
    /// The space sends too fast.
    TooManyEvents,
    /// Too much is waiting, or too much is being received.
    Overloaded,
    /// A part of the installation is away.
    Unavailable,
    /// A defect.
    Internal,
}

impl Kind {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidRoutingKey | Self::MalformedJson | Self::BrokenBody => {
                StatusCode::BAD_REQUEST
            }
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::IdTaken => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidEvent => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyEvents => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidRoutingKey => "invalid_routing_key",
            Self::MalformedJson => "malformed_json",
            Self::BrokenBody => "broken_body",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::WrongMethod => "wrong_method",
            Self::TooSlow => "too_slow",
            Self::IdTaken => "id_taken",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::InvalidEvent => "invalid_event",
            Self::TooManyEvents => "too_many_events",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl Problem {
    /// A problem of one place.
    pub fn new(kind: Kind, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { kind, message: message.into(), fix: fix.into(), details: Vec::new(), retry_after: None }
    }

    /// A problem of several events; at most `MOST_DETAILS` faults are listed.
    pub fn listed(kind: Kind, message: String, fix: impl Into<String>, mut details: Vec<Detail>) -> Self {
        details.truncate(MOST_DETAILS);
        Self { details, ..Self::new(kind, message, fix) }
    }

    /// One that passes by itself.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// What a failed port means for the publisher, who gets no inner details; those are for the log.
    pub fn from_port(doing: &str, fault: &PortError) -> Self {
        if fault.is_transient() {
            warn!(%fault, "cannot {doing} now");
            let message = format!("cannot {doing} now");
            return Self::new(
                Kind::Unavailable,
                message,
                "send the same request again; nothing is lost or doubled",
            )
            .after(Duration::from_secs(1));
        }
        error!(%fault, "cannot {doing}");
        let fix = "report it to the operator with the requestId; the log says more";
        Self::new(Kind::Internal, format!("cannot {doing}"), fix)
    }

    /// The problem as one line of text: which, what, how to mend it, and its first faults.
    pub fn as_reason(&self) -> String {
        let mut reason = format!("{}: {}; to mend it: {}", self.kind.code(), self.message, self.fix);
        for detail in self.details.iter().take(MOST_IN_A_LINE) {
            let Detail { index, path, problem, fix } = detail;
            // Writing to a String cannot fail.
            let _ = write!(reason, "; event {index} {path} {problem} ({fix})");
        }
        if let Some(more @ 1..) = self.details.len().checked_sub(MOST_IN_A_LINE) {
            let _ = write!(reason, "; and {more} more");
        }
        reason
    }

    /// The problem as an HTTP answer.
    pub fn into_answer(self, request_id: &str) -> Response {
        let body = json!({
            "error": {
                "code": self.kind.code(),
                "message": self.message,
                "fix": self.fix,
                "details": self.details,
            },
            "requestId": request_id,
        });
        let mut answer = (self.kind.status(), Json(body)).into_response();
        if let Some(wait) = self.retry_after {
            // A begun second counts: asked again too early, the answer would be the same.
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                answer.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        match self.kind {
            Kind::Unauthenticated => {
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::WrongMethod => {
                answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        answer
    }
}

impl Detail {
    /// A fault that a dialect found in the event of this index.
    pub fn found(index: usize, fault: ReadError) -> Self {
        Self { index, path: fault.path, problem: fault.problem, fix: fault.fix }
    }
}

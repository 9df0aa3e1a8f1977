//! One call, as it was sent and answered: the call record.

use std::time::Duration;

use bytes::Bytes;

use crate::delivery::{DeliveryRef, DeliveryState};
use crate::id::CallId;
use crate::outcome::FailureKind;
use crate::timestamp::Timestamp;

/// Recorded request bodies end here: 500 kB (Contentful's limit, in decimal kilobytes).
pub const RECORDED_REQUEST_LIMIT: usize = 500_000;
/// Response bodies are read and recorded up to here: 200 kB (Contentful's limit).
pub const RESPONSE_LIMIT: usize = 200_000;

/// One attempt of a delivery with request and response. Secrets in it are already masked.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// Drawn before the call; also its idempotency key in the log.
    pub id: CallId,
    /// Whose attempt it was.
    pub delivery: DeliveryRef,
    /// From 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long each part took.
    pub timings: Timings,
    /// The request as sent.
    pub request: RecordedRequest,
    /// The answer, if one came.
    pub response: Option<RecordedResponse>,
    /// Why none came; or why the one that came is no success, where its status alone does not tell.
    pub failure: Option<Failure>,
    /// Where the delivery stands after it.
    pub state: DeliveryState,
    /// When the next attempt is due, if one is.
    pub next_at: Option<Timestamp>,
    /// The webhook's name and version that made it.
    pub webhook_version: u64,
}

/// How long the parts of a call took. A part that did not happen (a pooled connection) is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Finding the address.
    pub resolve: Option<Duration>,
    /// Opening the connection, TLS included.
    pub connect: Option<Duration>,
    /// Until the answer's headers.
    pub first_byte: Option<Duration>,
    /// All of it.
    pub total: Duration,
}

/// A request as it left, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// GET, POST, …
    pub method: String,
    /// The full URL.
    pub url: String,
    /// In the order sent.
    pub headers: Vec<(String, String)>,
    /// Up to [`RECORDED_REQUEST_LIMIT`] bytes.
    pub body: Bytes,
    /// The deadline it had.
    pub timeout: Duration,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedResponse {
    /// The status.
    pub status: u16,
    /// In the order received; values that are no UTF-8 are shown with replacement characters.
    pub headers: Vec<(String, String)>,
    /// Up to [`RESPONSE_LIMIT`] bytes.
    pub body: Bytes,
    /// Whether more came than was kept.
    pub truncated: bool,
}

/// Why a call got no answer, or none that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// What exactly, and what to do, in one line.
    pub message: String,
}

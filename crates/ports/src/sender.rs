//! One outbound call through the one guarded client (DESIGN §4.6).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use postrider_domain::call::{Failure, RecordedResponse, Timings};

/// A request, complete: nothing is added but `Host`, `Content-Length` and the connection's own headers.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, …
    pub method: String,
    /// The full URL.
    pub url: String,
    /// In order. May hold secrets. `Transfer-Encoding: chunked` sends the body without `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// `None` sends no body at all.
    pub body: Option<Bytes>,
    /// One deadline over resolve, connect, headers and body.
    pub timeout: Duration,
    /// A shorter one until a connection stands: resolve, connect and TLS together. A connection that is kept open from an
    /// earlier call stands already. `None`: only `timeout` holds.
    pub connect: Option<Duration>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The answer, or why there is none.
    pub result: Result<RecordedResponse, Failure>,
    /// How long each part took.
    pub timings: Timings,
}

/// Makes calls.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Makes one call. Never follows a redirect, never retries, never reads more of an answer than
    /// [`postrider_domain::call::RESPONSE_LIMIT`]; every way it can fail is in the answer.
    async fn send(&self, request: Request) -> Sent;
}

/// Headers and body may hold secrets: only their sizes are shown.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = self.body.as_ref().map_or(0, Bytes::len);
        write!(f, "Request({}, {} headers, {body} bytes)", self.method, self.headers.len())
    }
}

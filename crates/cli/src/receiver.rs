//! A receiver of webhook calls: what `listen` and the demo have in common.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;

use crate::verify::Received;

/// Larger bodies are answered 413. Postrider sends at most one event, 256 KiB by default, in whatever shape.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// A call as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// When its body was complete.
    pub at: Timestamp,
    /// POST, PUT, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// In the order received, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// Who decides what a call is answered.
#[async_trait]
pub trait Answer: Send + Sync {
    /// Takes note of a call and says with which status it is answered.
    async fn answer(&self, call: Call) -> StatusCode;
}

struct Shared {
    answer: Arc<dyn Answer>,
    clock: Arc<dyn Clock>,
}

/// Routes every path and method to `answer`.
pub fn router(answer: Arc<dyn Answer>, clock: Arc<dyn Clock>) -> Router {
    Router::new().fallback(receive).with_state(Arc::new(Shared { answer, clock }))
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = head.uri.path_and_query().map_or_else(|| head.uri.path().to_owned(), ToString::to_string);
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let call = Call {
        at: shared.clock.now(),
        method: head.method.to_string(),
        path,
        headers: head.headers.iter().map(header).collect(),
        body: body.to_vec(),
    };
    shared.answer.answer(call).await.into_response()
}

impl Call {
    /// What verification needs of it.
    pub fn signed(&self) -> Received<'_> {
        Received { headers: &self.headers, body: &self.body, at: self.at.unix_seconds() }
    }

    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

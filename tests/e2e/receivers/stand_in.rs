//! A service of somebody else, played here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::process::PATIENCE;

/// The header in which a stand-in says what it is.
pub(super) const STAND_IN: &str = "x-stand-in-for";
/// More than any body of these stories.
const LARGEST: usize = 1024 * 1024;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Received {
    /// A header's value; empty without it.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Its body, which must be JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

type Handler = dyn Fn(Received) -> BoxFuture<'static, Response> + Send + Sync;

struct Shared {
    name: &'static str,
    handler: Box<Handler>,
    received: Mutex<Vec<Received>>,
    answered: watch::Sender<usize>,
}

/// The service.
pub(super) struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl StandIn {
    /// One for the service of this name, which answers so.
    pub(super) async fn start<F>(
        name: &'static str,
        handler: impl Fn(Received) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let handler = Box::new(move |received| Box::pin(handler(received)) as BoxFuture<'static, Response>);
        let (received, answered) = (Mutex::default(), watch::Sender::new(0));
        let shared = Arc::new(Shared { name, handler, received, answered });
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("serves");
        });
        Self { address, shared, server }
    }

    /// Where a path of it is.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request that it has answered, in the order of its answers.
    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("sound").clone()
    }

    /// Waits until it has answered so many requests.
    pub(super) async fn until(&self, requests: usize) {
        let mut answered = self.shared.answered.subscribe();
        let reached = timeout(PATIENCE, answered.wait_for(|answered| *answered >= requests)).await;
        assert!(reached.is_ok(), "{requests} requests did not come, only {}", *self.shared.answered.borrow());
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let received = Received { method: head.method, path, query, headers: head.headers, body };
    let mut response = (shared.handler)(received.clone()).await;
    response.headers_mut().insert(STAND_IN, HeaderValue::from_static(shared.name));
    shared.received.lock().expect("sound").push(received);
    shared.answered.send_modify(|answered| *answered += 1);
    response
}

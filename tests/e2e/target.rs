//! A receiver that counts what it gets and answers as a story says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::process::PATIENCE;

/// One call as received.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    /// How it came.
    pub(crate) method: Method,
    /// The path it came to.
    pub(crate) path: String,
    /// Path and query as they were sent.
    pub(crate) target: String,
    /// Where it came from.
    pub(crate) peer: SocketAddr,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body, byte for byte.
    pub(crate) body: Bytes,
    /// How many calls with the same path and body came before it.
    pub(crate) before: usize,
}

impl Hit {
    /// Its body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// How a call is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this status.
    Status(u16),
    /// With this status and header.
    With(u16, &'static str, String),
    /// Not before the story opens the gate; then with 200.
    Gate,
}

type Script = dyn Fn(&Hit) -> Answer + Send + Sync;

/// The receiver.
pub(crate) struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    script: Box<Script>,
    ledger: Mutex<Ledger>,
    count: watch::Sender<usize>,
    gate: watch::Sender<bool>,
}

#[derive(Default)]
struct Ledger {
    /// Every call, unless only counted.
    hits: Vec<Hit>,
    /// Calls by path and event.
    by_event: HashMap<(String, String), usize>,
}

impl Target {
    /// Starts on a free port of this machine.
    pub(crate) async fn start(script: impl Fn(&Hit) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            ledger: Mutex::default(),
            count: watch::Sender::new(0),
            gate: watch::Sender::new(false),
        });
        let routes = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            axum::serve(listener, service).await.expect("serves");
        });
        Self { address, shared, server }
    }

    /// A receiver that takes everything.
    pub(crate) async fn willing() -> Self {
        Self::start(|_| Answer::Status(200)).await
    }

    /// Where a path of it is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Lets every call through that waits or will come to the gate.
    pub(crate) fn open_gate(&self) {
        self.shared.gate.send_replace(true);
    }

    /// Waits until so many calls came.
    pub(crate) async fn until(&self, calls: usize) {
        let mut count = self.calls();
        let reached = timeout(PATIENCE, count.wait_for(|count| *count >= calls)).await;
        assert!(reached.is_ok(), "{calls} calls did not come, only {}", *self.shared.count.borrow());
    }

    /// How many calls came.
    pub(crate) fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// Tells how many calls came, as they come.
    pub(crate) fn calls(&self) -> watch::Receiver<usize> {
        self.shared.count.subscribe()
    }

    /// Every call to a path, in order of arrival.
    pub(crate) fn hits(&self, path: &str) -> Vec<Hit> {
        self.shared
            .ledger
            .lock()
            .expect("sound")
            .hits
            .iter()
            .filter(|hit| hit.path == path)
            .cloned()
            .collect()
    }

    /// Waits until so many different (path, event id) were called.
    pub(crate) async fn until_known(&self, deliveries: usize) {
        loop {
            let calls = self.count();
            if self.shared.ledger.lock().expect("sound").by_event.len() >= deliveries {
                return;
            }
            self.until(calls + 1).await;
        }
    }

    /// How often each (path, event id) was called.
    pub(crate) fn by_event(&self) -> HashMap<(String, String), usize> {
        self.shared.ledger.lock().expect("sound").by_event.clone()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let event = headers.get("postrider-event").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let hit = {
        let mut ledger = shared.ledger.lock().expect("sound");
        let seen = ledger.by_event.entry((path.clone(), event)).or_default();
        let before = *seen;
        *seen += 1;
        let hit = Hit { method, path, target: uri.to_string(), peer, headers, body, before };
        ledger.hits.push(hit.clone());
        hit
    };
    let answer = (shared.script)(&hit);
    shared.count.send_modify(|count| *count += 1);
    let status = |code| StatusCode::from_u16(code).expect("a status");
    match answer {
        Answer::Status(code) => status(code).into_response(),
        Answer::With(code, name, value) => (status(code), [(name, value)]).into_response(),
        Answer::Gate => {
            let mut gate = shared.gate.subscribe();
            let _open = gate.wait_for(|open| *open).await;
            StatusCode::OK.into_response()
        }
    }
}

//! What the process says of itself: `/livez` (it runs) and `/readyz` (it can do its work, or which part cannot and why).
//!
//! A lost broker, store or cache makes a process "not ready", never "not alive": a restart would not bring the broker
//! back, and the process recovers by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::shutdown::Shutdown;

/// Why a component is not ready, or `None` when it is.
type States = BTreeMap<String, Option<String>>;

/// The health of one process. Clones are cheap and speak of the same process.
#[derive(Debug, Clone)]
pub struct Health {
    states: Arc<watch::Sender<States>>,
    shutdown: Shutdown,
}

/// One named part whose readiness its owner reports.
#[derive(Debug, Clone)]
pub struct Component {
    name: String,
    states: Arc<watch::Sender<States>>,
}

impl Health {
    /// A process without components. Once this wish to stop is expressed it is not ready any more, so that whoever
    /// routes work sends it elsewhere.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { states: Arc::new(watch::Sender::new(States::new())), shutdown }
    }

    /// Adds a component. It is not ready ("starting") until it says so; the same name again is the same component.
    pub fn component(&self, name: impl Into<String>) -> Component {
        let name = name.into();
        self.states.send_if_modified(|states| {
            let before = states.len();
            states.entry(name.clone()).or_insert_with(|| Some("starting".to_owned()));
            states.len() > before
        });
        Component { name, states: Arc::clone(&self.states) }
    }

    /// The components that are not ready, each with its reason. Empty when the process can do its work.
    pub fn not_ready(&self) -> BTreeMap<String, String> {
        let mut reasons = reasons(&self.states.borrow());
        if self.shutdown.is_stopping() {
            reasons.insert("process".to_owned(), "stopping".to_owned());
        }
        reasons
    }

    /// Waits until every component is ready. Never returns once the process is stopping.
    pub async fn until_ready(&self) {
        let mut changes = self.states.subscribe();
        let all_ready = changes.wait_for(|states| states.values().all(Option::is_none)).await.is_ok();
        if !all_ready || self.shutdown.is_stopping() {
            std::future::pending::<()>().await;
        }
    }

    /// `GET /livez`: 200 as long as the process can answer. `GET /readyz`: 200, or 503 with each component that is not
    /// ready and why, as JSON.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
            .route("/readyz", get(readyz))
            .with_state(self.clone())
    }
}

impl Component {
    /// Says that this part can do its work.
    pub fn ready(&self) {
        if self.set(None) {
            info!(component = self.name, "ready");
        }
    }

    /// Says that it cannot, and why: a sentence for the person on call, without secrets.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.set(Some(reason.clone())) {
            warn!(component = self.name, reason, "not ready");
        }
    }

    /// Whether that was news.
    fn set(&self, state: Option<String>) -> bool {
        self.states.send_if_modified(|states| {
            let news = states.get(&self.name) != Some(&state);
            states.insert(self.name.clone(), state);
            news
        })
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let reasons = health.not_ready();
    if reasons.is_empty() {
        (StatusCode::OK, Json(json!({ "status": "ready" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "components": reasons })))
    }
}

fn reasons(states: &States) -> BTreeMap<String, String> {
    states.iter().filter_map(|(name, state)| Some((name.clone(), state.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use futures::FutureExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(health: &Health, path: &str) -> (u16, Value) {
        let request = Request::get(path).body(Body::empty()).expect("a well-formed request");
        let response = health.router().oneshot(request).await.expect("the router answers");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 4096).await.expect("a short body");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn readyz_names_each_component_that_is_not_ready_and_why() {
        let health = Health::new(Shutdown::new());
        let store = health.component("store");
        let broker = health.component("broker");
        store.ready();
        assert_eq!(
            ask(&health, "/readyz").await,
            (503, json!({ "status": "not ready", "components": { "broker": "starting" } }))
        );
        broker.ready();
        assert_eq!(ask(&health, "/readyz").await, (200, json!({ "status": "ready" })));
        store.not_ready("the disk is full");
        assert_eq!(
            ask(&health, "/readyz").await,
            (503, json!({ "status": "not ready", "components": { "store": "the disk is full" } }))
        );
    }

    #[tokio::test]
    async fn a_stopping_process_is_alive_but_not_ready() {
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        health.component("store").ready();
        shutdown.begin();
        let (status, body) = ask(&health, "/readyz").await;
        assert_eq!((status, &body["components"]["process"]), (503, &json!("stopping")));
        assert_eq!(ask(&health, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn until_ready_waits_for_the_last_component() {
        let health = Health::new(Shutdown::new());
        let (store, broker) = (health.component("store"), health.component("broker"));
        store.ready();
        assert!(health.until_ready().now_or_never().is_none());
        broker.ready();
        assert!(health.until_ready().now_or_never().is_some());
    }

    #[test]
    fn asking_for_a_component_again_does_not_reset_it() {
        let health = Health::new(Shutdown::new());
        health.component("store").ready();
        let _same = health.component("store");
        assert!(health.not_ready().is_empty());
    }
}

//! One ingest over fakes, and how tests talk to it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use futures::FutureExt;
use postrider_domain::event::Carriage;
use postrider_domain::id::{EnvironmentId, SpaceId, TokenId};
use postrider_domain::message::{EventMessage, Queue};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Grant, Role, Token};
use postrider_ingest::{Deps, Pressure, Settings, router};
use postrider_ports::access::{Space, Spaces, Tokens};
use postrider_ports::queue::Outgoing;
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::store::MemoryStore;
use postrider_testkit::{ManualClock, SeededRandom};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use crate::fakes::{FakeClaims, FaultyBodies, FaultyQueue, FaultyTokens, PlainSecrets};

/// Where most tests publish.
pub(crate) const EVENTS: &str = "/spaces/blog/environments/master/events";
/// The token of a publisher of the space `blog`.
pub(crate) const PUBLISHER: &str = "publisher-of-blog";

/// One ingest.
pub(crate) struct World {
    pub clock: Arc<ManualClock>,
    pub queue: Arc<FaultyQueue>,
    pub claims: Arc<FakeClaims>,
    pub bodies: Arc<FaultyBodies>,
    pub tokens: Arc<FaultyTokens>,
    pub sources: Arc<MemoryStore>,
    pub deps: Deps,
    pub health: Health,
    pub shutdown: Shutdown,
    router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::new());
        let queue = Arc::new(FaultyQueue::new(clock.clone()));
        let (claims, bodies) = (Arc::new(FakeClaims::new(clock.clone())), Arc::new(FaultyBodies::default()));
        let sources = Arc::new(MemoryStore::new());
        let tokens = Arc::new(FaultyTokens { inner: sources.clone(), ..FaultyTokens::default() });
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        let deps = Deps {
            publish: queue.clone(),
            claims: claims.clone(),
            bodies: bodies.clone(),
            tokens: tokens.clone(),
            spaces: sources.clone(),
            sources: sources.clone(),
            secrets: Arc::new(PlainSecrets),
            inbox: None,
            depths: queue.clone(),
            pressure: Pressure::new(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(1)),
            health: health.component("ingest"),
        };
        let router = router(settings, deps.clone());
        let world = Self { clock, queue, claims, bodies, tokens, sources, deps, health, shutdown, router };
        world.space("blog");
        world.space("other");
        world.token(PUBLISHER, Some("blog"), Role::Publisher, None);
        world
    }

    /// Makes a space with two environments.
    fn space(&self, id: &str) {
        let environments = vec![EnvironmentId::master(), EnvironmentId::new("staging").expect("id")];
        let id = SpaceId::new(id).expect("id");
        let space = Space { id, name: "A space".into(), environments, created_at: postrider_testkit::START };
        self.sources.put_space(&space).now_or_never().expect("memory is ready at once").expect("a new space");
    }

    /// Makes a token.
    pub(crate) fn token(&self, token: &str, space: Option<&str>, role: Role, expires_at: Option<Timestamp>) {
        let space = space.map(|space| SpaceId::new(space).expect("id"));
        let token = Token {
            id: TokenId::new(token).expect("id"),
            sha256: Sha256::digest(token).into(),
            prefix: token.chars().take(4).collect(),
            name: token.to_owned(),
            grant: Grant { space, role },
            created_at: postrider_testkit::START,
            expires_at,
            revoked_at: None,
        };
        self.tokens.insert(&token).now_or_never().expect("memory is ready at once").expect("a new token");
    }

    /// Publishes as JSON, as the publisher.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answer {
        self.post_as("application/json", body).await
    }

    /// Publishes with another media type.
    pub(crate) async fn post_as(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        self.send(publish_to(EVENTS).header("content-type", content_type).body(body.into())).await
    }

    pub(crate) async fn send(&self, request: Result<Request<Body>, axum::http::Error>) -> Answer {
        let request = request.expect("a well-formed request");
        let answer = self.router.clone().oneshot(request).await.expect("the router answers");
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, 1024 * 1024).await.expect("a short body");
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&body).expect("every answer is JSON"),
        }
    }

    /// Everything published so far.
    pub(crate) fn published(&self) -> Vec<Outgoing<EventMessage>> {
        self.queue.inner.outgoing(Queue::Events)
    }
}

impl Answer {
    /// Asserts a refusal and returns its text. Every refusal says what, how to mend it, and which request it was.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, code: &str) -> String {
        let error = &self.body["error"];
        assert_eq!((self.status, error["code"].as_str()), (status, Some(code)), "{self:?}");
        for part in ["message", "fix"] {
            assert!(error[part].as_str().is_some_and(|text| !text.is_empty()), "no {part}: {self:?}");
        }
        assert!(error["details"].is_array(), "{self:?}");
        assert_eq!(self.body["requestId"].as_str(), self.header("x-request-id"), "{self:?}");
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        assert!(!self.body.to_string().contains("secret"), "inner details are for the log: {self:?}");
        self.body.to_string()
    }

    /// Asserts acceptance and returns ids with their status.
    #[track_caller]
    pub(crate) fn assert_accepted(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 202, "{self:?}");
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let events = self.body["events"].as_array().expect("a list");
        events.iter().map(|one| (text(&one["id"]), text(&one["status"]))).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A request of the publisher.
pub(crate) fn publish_to(path: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::POST).uri(path).header("authorization", format!("Bearer {PUBLISHER}"))
}

/// An event of ours with this id.
pub(crate) fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"Entry","action":"publish","resource":{{"id":"r1"}},"data":{{ "a": 1.0 }}}}"#
    )
}

/// The data that travels inside a message.
pub(crate) fn data(message: &Outgoing<EventMessage>) -> String {
    match &message.message.event.content {
        Carriage::Inline(content) => content.data.as_str().to_owned(),
        Carriage::Stored(body) => format!("stored: {body:?}"),
    }
}

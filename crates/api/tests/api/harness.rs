//! One instance with its router, its tokens, and samples to fill the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use postrider_control::{Control, Deps, Settings};
use postrider_domain::call::{CallRecord, RecordedRequest, RecordedResponse, Timings};
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::event::{Actor, Content, Event, EventHead, Resource};
use postrider_domain::id::{CallId, EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::json::Json;
use postrider_domain::matching::{Rule, Verdict};
use postrider_domain::message::{DeliverMessage, Lane, Queue};
use postrider_domain::record::Decision;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use postrider_domain::webhook::PlainHttp;
use postrider_ports::clock::Clock;
use postrider_ports::log::{DeliveryRow, EventRow};
use postrider_ports::queue::Outgoing;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::SeededRandom;
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::ring::MemoryRing;
use postrider_testkit::sender::ScriptedSender;
use postrider_testkit::store::MemoryStore;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::conformance::Exchange;
use crate::store::Store;
use crate::world::{JumpingClock, ThreeEvents, answer};

pub(crate) const DEFINITIONS: &str = "/spaces/default/webhook_definitions";

pub(crate) struct Instance {
    pub(crate) router: Router,
    pub(crate) shutdown: Shutdown,
    pub(crate) store: Arc<Store>,
    pub(crate) sources: Arc<MemoryStore>,
    pub(crate) clock: Arc<JumpingClock>,
    pub(crate) sender: Arc<ScriptedSender>,
    pub(crate) ring: Arc<MemoryRing>,
    pub(crate) queue: MemoryQueue,
    pub(crate) bodies: Arc<MemoryLog>,
    /// Rules the instance.
    pub(crate) admin: String,
    drawn: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Instance {
    pub(crate) async fn start() -> Self {
        Self::start_with(PlainHttp::Never).await
    }

    pub(crate) async fn start_with(plain_http: PlainHttp) -> Self {
        let store = Arc::new(Store::default());
        let clock = Arc::new(JumpingClock::at("2026-01-01T12:00:00Z"));
        let sender = Arc::new(ScriptedSender::default());
        let bodies = Arc::new(MemoryLog::new());
        let queue = MemoryQueue::new(clock.clone());
        let sources = Arc::clone(&store.memory);
        let ring = Arc::new(MemoryRing::new("k1"));
        let deps = Deps {
            registry: store.clone(),
            log: store.clone(),
            bodies: bodies.clone(),
            write: bodies.clone(),
            reopen: bodies.clone(),
            tokens: sources.clone(),
            spaces: sources.clone(),
            sources: sources.clone(),
            secrets: ring.clone(),
            keys: ring.clone(),
            sender: sender.clone(),
            deliver: Arc::new(queue.clone()),
            depths: Arc::new(ThreeEvents),
            parked: Arc::new(queue.clone()),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(1)),
        };
        let control = Arc::new(Control::new(
            Settings { plain_http, webhooks_per_space: 5, ..Settings::default() },
            deps,
        ));
        let admin = control.bootstrap().await.expect("a first start").expect("a token").reveal().to_owned();
        let shutdown = Shutdown::new();
        let router = postrider_api::router(control, shutdown.clone());
        Self {
            router,
            shutdown,
            store,
            sources,
            clock,
            sender,
            ring,
            queue,
            bodies,
            admin,
            drawn: AtomicU64::new(1),
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (asked, sent) = request.into_parts();
        let sent = to_bytes(sent, usize::MAX).await.expect("a body");
        let (method, uri) = (asked.method.clone(), asked.uri.to_string());
        let request = Request::from_parts(asked, Body::from(sent.clone()));
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        let exchange = Exchange {
            method: &method,
            path: &uri,
            sent: &sent,
            status: parts.status.as_u16(),
            headers: &parts.headers,
            answered: &bytes,
        };
        exchange.check();
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let is_json =
            parts.headers.get("content-type").is_some_and(|kind| !kind.as_bytes().starts_with(b"text/"));
        let body = if is_json { serde_json::from_str(&text).expect("JSON") } else { Value::Null };
        Answer { status: parts.status, headers: parts.headers, text, body }
    }

    /// As the given token.
    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("Authorization", format!("Bearer {token}"));
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).expect("a request")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call_as(&self.admin, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call_as(&self.admin, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call_as(&self.admin, Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call_as(&self.admin, Method::DELETE, path, None).await
    }

    /// Slack knows every token, as that of a bot in the workspace Acme, which has two channels.
    pub(crate) fn slack_answers(&self) {
        let channels = br#"{"ok":true,"channels":[{"id":"C1","name":"news","is_member":true},
            {"id":"C2","name":"old","is_archived":true}],"response_metadata":{"next_cursor":"dGVhbTpDMw=="}}"#;
        let base = "https://slack.com/api/";
        let list = "conversations.list?types=public_channel,private_channel&limit=50";
        for (method, said) in [
            ("auth.test", &br#"{"ok":true,"team":"Acme","team_id":"T1","user":"postrider"}"#[..]),
            (list, &channels[..]),
            ("chat.postMessage", &br#"{"ok":true}"#[..]),
        ] {
            self.sender.script(&format!("{base}{method}"), [Ok(answer(200, said))]);
        }
    }

    /// A token with a role in a space.
    pub(crate) async fn token(&self, role: &str, space: &str) -> String {
        let made = self.post("/tokens", &json!({"name": role, "role": role, "space": space})).await;
        made.body["token"].as_str().expect("a token").to_owned()
    }

    /// A webhook under a given id.
    pub(crate) async fn webhook(&self, id: &str) -> Answer {
        let body = json!({"name": "n", "url": "https://example.com/hook", "topics": ["*.*"]});
        let made = self.put(&format!("{DEFINITIONS}/{id}"), &body).await;
        assert_eq!(made.status, 200, "{}", made.text);
        made
    }

    pub(crate) fn head(&self, event: &str) -> EventHead {
        EventHead {
            id: EventId::new(event).expect("id"),
            scope: Scope {
                space: SpaceId::new("default").expect("id"),
                environment: EnvironmentId::master(),
            },
            event_type: EventType::new("Entry").expect("type"),
            action: Action::new("publish").expect("action"),
            occurred_at: self.clock.now(),
            accepted_at: self.clock.now(),
            resource: Resource {
                id: "5KsD".into(),
                content_type: Some("blogPost".into()),
                ..Resource::default()
            },
            actor: Some(Actor { id: "u1".into(), kind: Some("User".into()) }),
            workflow: None,
            branch: None,
            cause: None,
        }
    }

    /// Logs an event that one webhook matched and another did not, with a delivery in a state.
    pub(crate) fn log_event(&self, event: &str, webhook: &str, state: DeliveryState) -> DeliveryRef {
        let head = self.head(event);
        let webhook = WebhookId::new(webhook).expect("id");
        let delivery = DeliveryRef { event: Arc::new(head.clone()), webhook: webhook.clone(), generation: 0 };
        let yes = Verdict { matched: true, rule: Rule::Topic, detail: "topics[0] *.*".into() };
        let decision = |webhook, verdict| Decision { webhook, verdict, due_at: None };
        let row = DeliveryRow {
            id: delivery.id(),
            delivery: delivery.clone(),
            state,
            attempt: 1,
            next_at: (state == DeliveryState::Pending).then(|| self.clock.now().plus(Duration::from_secs(5))),
            reason: None,
            superseded_by: None,
            updated_at: self.clock.now(),
        };
        let data = Json::from_checked(r#"{"z":1.50,"a":[ 2 ]}"#);
        self.store.events.lock().expect("lock").push(EventRow {
            event: Event { head, content: Content { data, previous: None, related: None, source: None } },
            decisions: vec![
                decision(webhook, yes),
                decision(WebhookId::new("other").expect("id"), Verdict::no(Rule::Topic, "no topic takes it")),
            ],
            unlisted: 2,
            deliveries: vec![row],
        });
        delivery
    }

    /// Logs a call that began now and took so long.
    pub(crate) fn log_call(&self, delivery: &DeliveryRef, status: u16, took: Duration) -> CallId {
        let n = self.drawn.fetch_add(1, Ordering::SeqCst);
        let now = self.clock.now();
        let id = CallId::new(u64::try_from(now.unix_ms()).expect("after 1970"), {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&n.to_be_bytes());
            random
        });
        let taken = (200..300).contains(&status);
        self.store.calls.lock().expect("lock").push(CallRecord {
            id,
            delivery: delivery.clone(),
            attempt: 1,
            started_at: now,
            timings: Timings { total: took, ..Timings::default() },
            request: RecordedRequest {
                method: "POST".into(),
                url: "https://example.com/hook".into(),
                headers: vec![("Content-Type".into(), "application/json".into())],
                body: (&b"{\"a\":1}"[..]).into(),
                timeout: Duration::from_secs(15),
            },
            response: Some(RecordedResponse {
                status,
                headers: vec![("set-cookie".into(), "a=1".into()), ("set-cookie".into(), "b=2".into())],
                body: (&[0xff_u8, 0x00, 0x01][..]).into(),
                truncated: true,
            }),
            failure: None,
            state: if taken { DeliveryState::Delivered } else { DeliveryState::Pending },
            next_at: None,
            webhook_version: 0,
        });
        id
    }

    /// Every delivery that was published, lane by lane.
    pub(crate) fn published(&self) -> Vec<Outgoing<DeliverMessage>> {
        Lane::ALL.into_iter().flat_map(|lane| self.queue.outgoing(Queue::Deliver(lane))).collect()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Answer {
    /// The faults of an error by path, with their names.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let errors = self.body["details"]["errors"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| (text(&error["path"]), text(&error["name"]))).collect()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let all = self.headers.get_all("warning").iter();
        all.map(|value| value.to_str().expect("ASCII").to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, id: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.body["sys"], json!({"type": "Error", "id": id}), "{}", self.text);
        assert!(!self.body["message"].as_str().unwrap_or_default().is_empty(), "{}", self.text);
        assert_eq!(
            self.body["requestId"].as_str(),
            self.headers.get("x-contentful-request-id").and_then(|value| value.to_str().ok())
        );
    }
}

//! A database in a directory of its own, with its driver running.

use std::path::Path;
use std::sync::Arc;

use postrider_adapter_sqlite::{Database, Settings};
use postrider_domain::event::{Carriage, Carried, Content, EventHead, Resource};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::json::Json;
use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Target, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use postrider_ports::queue::{Consume, Consumers, Outgoing, Publish};
use postrider_testkit::ManualClock;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// 2026-01-01T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_unix_ms(1_767_268_800_000);

/// A clock that stands at noon.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOON))
}

/// A database and what keeps it going.
pub(crate) struct Rig {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database: Database,
    driver: JoinHandle<()>,
}

impl Rig {
    /// A new database.
    pub(crate) async fn new() -> Self {
        Self::limited(None).await
    }

    /// A new database of at most so many pages.
    pub(crate) async fn limited(max_pages: Option<u32>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = clock();
        let settings = Settings { max_pages, ..Settings::new(dir.path()) };
        let (database, driver) =
            Database::open(&settings, Arc::<ManualClock>::clone(&clock)).await.expect("opens");
        Self { dir, clock, database, driver: tokio::spawn(driver.run()) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Closes it in good order.
    pub(crate) async fn close(self) -> (TempDir, Arc<ManualClock>) {
        self.database.close().await;
        self.driver.await.expect("the driver ends");
        (self.dir, self.clock)
    }

    /// Closes it and opens it again.
    pub(crate) async fn reopen(self) -> Self {
        let (dir, clock) = self.close().await;
        Self::over(dir, clock).await
    }

    /// Opens what lies in a directory.
    pub(crate) async fn over(dir: TempDir, clock: Arc<ManualClock>) -> Self {
        let (database, driver) =
            Database::open(&Settings::new(dir.path()), Arc::<ManualClock>::clone(&clock))
                .await
                .expect("opens");
        Self { dir, clock, database, driver: tokio::spawn(driver.run()) }
    }

    /// The files as a process that was killed now would leave them, opened again.
    pub(crate) async fn after_crash(&self) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for file in ["postrider.db", "postrider.db-wal"] {
            std::fs::copy(self.path().join(file), dir.path().join(file)).expect("copied");
        }
        Self::over(dir, Arc::clone(&self.clock)).await
    }

    pub(crate) fn events(&self) -> Box<dyn Consume<EventMessage>> {
        self.database.consumer(postrider_domain::message::Queue::Events)
    }

    pub(crate) fn lane(&self, lane: Lane) -> Box<dyn Consume<DeliverMessage>> {
        self.database.consumer(postrider_domain::message::Queue::Deliver(lane))
    }

    /// Publishes events of these ids.
    pub(crate) async fn publish(&self, ids: &[&str]) {
        let batch = ids.iter().map(|id| outgoing(event(id))).collect();
        self.database.publish(batch).await.expect("published");
    }
}

pub(crate) fn outgoing<M>(message: M) -> Outgoing<M> {
    Outgoing::now(message, false, TraceContext::default())
}

pub(crate) fn space() -> SpaceId {
    SpaceId::new("default").expect("space")
}

pub(crate) fn webhook_id(id: &str) -> WebhookId {
    WebhookId::new(id).expect("webhook")
}

pub(crate) fn head(id: &str) -> EventHead {
    EventHead {
        id: EventId::new(id).expect("id"),
        scope: Scope { space: space(), environment: EnvironmentId::master() },
        event_type: EventType::new("Entry").expect("type"),
        action: Action::new("publish").expect("action"),
        occurred_at: NOON,
        accepted_at: NOON,
        resource: Resource { id: "r1".into(), ..Resource::default() },
        actor: None,
        workflow: None,
        branch: None,
        cause: None,
    }
}

pub(crate) fn content(size: usize) -> Content {
    let data = Json::from_checked(format!("\"{}\"", "x".repeat(size)));
    Content { data, previous: None, related: None, source: None }
}

pub(crate) fn carried(id: &str) -> Carried {
    Carried { head: Arc::new(head(id)), content: Carriage::Inline(Arc::new(content(10))) }
}

pub(crate) fn event(id: &str) -> EventMessage {
    EventMessage { event: carried(id) }
}

/// An event of about so many bytes.
pub(crate) fn large_event(id: &str, size: usize) -> EventMessage {
    let content = Carriage::Inline(Arc::new(content(size)));
    EventMessage { event: Carried { head: Arc::new(head(id)), content } }
}

pub(crate) fn deliver(id: &str, lane: Lane) -> DeliverMessage {
    let target = Target { webhook: webhook_id("w1"), generation: 0, attempt: 1, window: None };
    DeliverMessage { event: carried(id), lane, targets: vec![target] }
}

pub(crate) fn id_of(message: &EventMessage) -> &str {
    message.event.head.id.as_str()
}

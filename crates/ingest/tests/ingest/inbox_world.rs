//! An inbox in memory, and the door that is served from it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use postrider_domain::id::SpaceId;
use postrider_domain::message::TraceContext;
use postrider_domain::space::SpaceSettings;
use postrider_ingest::{Settings, run};
use postrider_ports::access::{Space, Spaces};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::inbox::{Arrived, Inbox, Inboxes};
use postrider_ports::queue::Lease;
use postrider_testkit::store::MemoryStore;
use tokio::sync::{Notify, watch};

use crate::fakes::Fault;
use crate::world::{World, event};

/// What most inputs are published with.
pub(crate) const KEY: &str = "blog.master.Entry.publish";
/// Rejected so often, an input is parked (DESIGN §4.2).
const DELIVERY_LIMIT: u32 = 20;

/// What a CMS publishes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    pub key: String,
    pub content_type: Option<String>,
    pub message_id: Option<String>,
    pub headers: Vec<(String, String)>,
    pub trace: TraceContext,
    pub body: Vec<u8>,
    pub suspect: bool,
    pub redeliveries: u32,
    pub failures: u32,
}

/// How an input came to an end, by its number from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Acked(usize),
    Parked(usize, String),
    Rejected(usize),
    Released(usize),
}

/// The inbox.
pub(crate) struct FakeInbox {
    ready: Mutex<BTreeMap<usize, Sent>>,
    drawn: AtomicUsize,
    wake: Notify,
    ends: watch::Sender<Vec<End>>,
    /// Of receiving.
    pub fault: Fault,
    /// Of acknowledging.
    pub ack_fault: Fault,
}

struct Consumer(Arc<FakeInbox>);

struct FakeLease {
    inbox: Arc<FakeInbox>,
    number: usize,
    message: Option<Sent>,
}

impl Sent {
    /// JSON under the usual key.
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::under(KEY, body)
    }

    pub(crate) fn under(key: &str, body: impl Into<Vec<u8>>) -> Self {
        let content_type = Some("application/json".to_owned());
        Self { key: key.to_owned(), content_type, body: body.into(), ..Self::default() }
    }
}

impl FakeInbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Mutex::default(),
            drawn: AtomicUsize::new(0),
            wake: Notify::new(),
            ends: watch::Sender::default(),
            fault: Fault::default(),
            ack_fault: Fault::default(),
        })
    }

    /// Publishes; inputs are numbered from 0.
    pub(crate) fn push(&self, message: Sent) -> usize {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.put(number, message);
        number
    }

    /// How many wait in it.
    pub(crate) fn waiting(&self) -> usize {
        self.ready.lock().expect("lock").len()
    }

    pub(crate) fn ends(&self) -> Vec<End> {
        self.ends.borrow().clone()
    }

    fn put(&self, number: usize, message: Sent) {
        self.ready.lock().expect("lock").insert(number, message);
        self.wake.notify_waiters();
    }

    fn end(&self, end: End) {
        self.ends.send_modify(|ends| ends.push(end));
    }
}

/// What the door is given.
pub(crate) struct Handle(pub Arc<FakeInbox>);

impl Inboxes for Handle {
    fn inbox(&self) -> Box<dyn Inbox> {
        Box::new(Consumer(Arc::clone(&self.0)))
    }
}

#[async_trait]
impl Inbox for Consumer {
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Arrived>> {
        loop {
            let mut woken = std::pin::pin!(self.0.wake.notified());
            woken.as_mut().enable();
            self.0.fault.check()?;
            let arrived = take(&self.0, max);
            if !arrived.is_empty() {
                return Ok(arrived);
            }
            woken.await;
        }
    }
}

fn take(inbox: &Arc<FakeInbox>, max: usize) -> Vec<Arrived> {
    let mut ready = inbox.ready.lock().expect("lock");
    let numbers = ready.keys().copied().take(max).collect::<Vec<_>>();
    let taken = numbers.into_iter().filter_map(|number| Some((number, ready.remove(&number)?)));
    taken.map(|(number, message)| arrived(inbox, number, message)).collect()
}

fn arrived(inbox: &Arc<FakeInbox>, number: usize, message: Sent) -> Arrived {
    let one = message.clone();
    Arrived {
        routing_key: one.key,
        content_type: one.content_type,
        message_id: one.message_id,
        headers: one.headers,
        trace: one.trace,
        body: one.body,
        suspect: one.suspect || one.redeliveries > 0,
        redeliveries: one.redeliveries,
        lease: Box::new(FakeLease { inbox: Arc::clone(inbox), number, message: Some(message) }),
    }
}

#[async_trait]
impl Lease for FakeLease {
    async fn ack(mut self: Box<Self>) -> PortResult<()> {
        self.inbox.ack_fault.check()?;
        self.message = None;
        self.inbox.end(End::Acked(self.number));
        Ok(())
    }

    async fn reject(mut self: Box<Self>, reason: &str) -> PortResult<()> {
        let Some(mut message) = self.message.take() else { return Ok(()) };
        message.failures += 1;
        message.redeliveries += 1;
        if message.failures >= DELIVERY_LIMIT {
            self.inbox.end(End::Parked(self.number, reason.to_owned()));
        } else {
            self.inbox.put(self.number, message);
            self.inbox.end(End::Rejected(self.number));
        }
        Ok(())
    }

    async fn park(mut self: Box<Self>, reason: &str) -> PortResult<()> {
        self.message = None;
        self.inbox.end(End::Parked(self.number, reason.to_owned()));
        Ok(())
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        Ok(())
    }
}

impl Drop for FakeLease {
    fn drop(&mut self) {
        if let Some(mut message) = self.message.take() {
            message.redeliveries += 1;
            self.inbox.put(self.number, message);
            self.inbox.end(End::Released(self.number));
        }
    }
}

/// Finds spaces, unless told otherwise.
pub(crate) struct FaultySpaces {
    pub fault: Fault,
    inner: Arc<MemoryStore>,
}

#[async_trait]
impl Spaces for FaultySpaces {
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>> {
        self.fault.check()?;
        self.inner.space(id).await
    }

    async fn spaces(&self) -> PortResult<Vec<Space>> {
        self.inner.spaces().await
    }

    async fn put_space(&self, space: &Space) -> PortResult<()> {
        self.inner.put_space(space).await
    }

    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings> {
        self.inner.settings(id).await
    }

    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool> {
        self.inner.put_settings(id, settings, expected).await
    }
}

/// One ingest whose door is served while a test waits for something.
pub(crate) struct Door {
    pub world: World,
    pub inbox: Arc<FakeInbox>,
    pub spaces: Arc<FaultySpaces>,
    running: BoxFuture<'static, Result<(), PortError>>,
}

impl Door {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (world, inbox) = (World::with(settings.clone()), FakeInbox::new());
        let spaces = Arc::new(FaultySpaces { fault: Fault::default(), inner: world.sources.clone() });
        let mut deps = world.deps.clone();
        deps.inbox = Some(Arc::new(Handle(Arc::clone(&inbox))));
        deps.spaces = spaces.clone();
        let running = Box::pin(run(settings, deps, world.shutdown.clone()));
        Self { world, inbox, spaces, running }
    }

    /// Serves until something has happened.
    pub(crate) async fn until<T>(&mut self, happened: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            value = happened => value,
            ended = &mut self.running => panic!("it ended by itself: {ended:?}"),
        }
    }

    /// Serves until so many inputs came to an end; which ones, in the order of their numbers.
    pub(crate) async fn ended(&mut self, many: usize) -> Vec<End> {
        let mut ends = self.inbox.ends.subscribe();
        let all = async move { ends.wait_for(|ends| ends.len() >= many).await.expect("it lives").clone() };
        let mut all = self.until(all).await;
        assert_eq!(all.len(), many, "{all:?}");
        all.sort_by_key(End::number);
        all
    }

    /// Publishes one input and serves until it came to its end.
    pub(crate) async fn end_of(&mut self, message: Sent) -> End {
        let before = self.inbox.ends().len();
        self.inbox.push(message);
        self.ended(before + 1).await;
        self.inbox.ends().pop().expect("it ended")
    }

    /// Serves until nothing more happens by itself.
    pub(crate) async fn idle(&mut self) {
        // Far more steps than any test's inputs take.
        for _ in 0..200 {
            assert!((&mut self.running).now_or_never().is_none(), "it ended by itself");
            tokio::task::yield_now().await;
        }
    }

    /// Waits for the end of the service.
    pub(crate) async fn stopped(self) -> (World, Arc<FakeInbox>) {
        self.running.await.expect("it ends when asked to");
        (self.world, self.inbox)
    }

    /// What the service says of itself: empty when it is well.
    pub(crate) fn ailment(&self) -> String {
        self.world.health.not_ready().remove("ingest").unwrap_or_default()
    }

    /// The ids published so far, with their suspicion.
    pub(crate) fn published(&self) -> Vec<(String, bool)> {
        let published = self.world.published().into_iter();
        published.map(|one| (one.message.event.head.id.to_string(), one.suspect)).collect()
    }
}

impl End {
    pub(crate) fn number(&self) -> usize {
        match self {
            Self::Acked(number)
            | Self::Parked(number, _)
            | Self::Rejected(number)
            | Self::Released(number) => *number,
        }
    }

    /// Why it was parked.
    #[track_caller]
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Parked(_, reason) => reason,
            other => panic!("it was not parked: {other:?}"),
        }
    }
}

/// An event without an id.
pub(crate) fn unnamed() -> String {
    event("x").replace("\"id\":\"x\",", "")
}

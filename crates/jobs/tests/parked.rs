//! What is parked shows in the log, whoever parked it, and looking costs little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::Carried;
use postrider_domain::message::{DeliverMessage, EventMessage};
use postrider_jobs::{Memory, Watch};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{DeliveryRow, LogRead, LogWrite};
use postrider_ports::queue::{Consumers, Message as _, Parked, ParkedMessage, Publish};
use postrider_testkit::ManualClock;
use postrider_testkit::builders::{SPACE, deliver, event, event_id, matched, outgoing, space};
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;

/// Counts the looks, and refuses those it is told to.
struct Counted {
    queue: MemoryQueue,
    looks: AtomicUsize,
    refusals: AtomicUsize,
}

#[async_trait]
impl Parked for Counted {
    async fn park(&self, queue: &str, reason: &str, body: &[u8]) -> PortResult<()> {
        self.queue.park(queue, reason, body).await
    }

    async fn count(&self) -> PortResult<u64> {
        self.queue.count().await
    }

    async fn list(&self, after: Option<i64>, max: usize) -> PortResult<Vec<ParkedMessage>> {
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        {
            return Err(PortError::transient("the broker is away"));
        }
        if after.is_none() {
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        // Small pages: a look takes several.
        self.queue.list(after, max.min(2)).await
    }

    async fn redrive(&self, id: i64) -> PortResult<bool> {
        self.queue.redrive(id).await
    }

    async fn discard(&self, id: i64) -> PortResult<bool> {
        self.queue.discard(id).await
    }
}

struct World {
    clock: Arc<ManualClock>,
    queue: MemoryQueue,
    parked: Arc<Counted>,
    log: Arc<MemoryLog>,
    watch: Watch,
    memory: Memory,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let (queue, log) = (MemoryQueue::new(clock.clone()), Arc::new(MemoryLog::new()));
        let (looks, refusals) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let parked = Arc::new(Counted { queue: queue.clone(), looks, refusals });
        let watch = Watch { parked: parked.clone(), log: log.clone(), clock: clock.clone() };
        Self { clock, queue, parked, log, watch, memory: Memory::default() }
    }

    async fn round(&mut self) -> usize {
        self.watch.round(&mut self.memory).await.expect("it looks")
    }

    /// An event that matched these webhooks and whose delivery message is parked.
    async fn park(&self, id: &str, webhooks: &[&str]) -> Carried {
        let event = event("Entry.publish").id(id).carried();
        self.log.write(&[matched(&event, webhooks, &[])]).await.expect("written");
        let message = deliver(&event, webhooks);
        let mut consumer = Consumers::<DeliverMessage>::consumer(&self.queue, message.queue());
        self.queue.publish(vec![outgoing(message)]).await.expect("published");
        let received = consumer.receive(1).await.expect("received").pop().expect("one");
        received.lease.park("it ends every process").await.expect("parked");
        event
    }

    async fn rows(&self, id: &str) -> Vec<DeliveryRow> {
        let row = self.log.event(&space(SPACE), &event_id(id)).await.expect("read").expect("it is there");
        row.deliveries
    }

    async fn states(&self, id: &str) -> Vec<DeliveryState> {
        self.rows(id).await.iter().map(|row| row.state).collect()
    }

    fn looks(&self) -> usize {
        self.parked.looks.swap(0, Ordering::SeqCst)
    }
}

use DeliveryState::{Parked as IsParked, Pending};

#[tokio::test]
async fn every_delivery_that_waits_for_a_parked_message_is_noted_with_its_reason() {
    let mut world = World::new();
    for (id, webhooks) in [("e1", &["w1", "w2"][..]), ("e2", &["w1"]), ("e3", &["w1"])] {
        world.park(id, webhooks).await;
    }
    world.queue.park("inbox", "malformed", b"{").await.expect("parked");
    let event = EventMessage { event: event("Entry.publish").id("e9").carried() };
    world.queue.publish(vec![outgoing(event)]).await.expect("published");
    assert_eq!(world.round().await, 4, "what never was matched has no delivery");
    for (id, count) in [("e1", 2), ("e2", 1), ("e3", 1)] {
        assert_eq!(world.states(id).await, vec![IsParked; count]);
    }
    assert_eq!(world.rows("e1").await[0].reason.as_deref(), Some("it ends every process"));
}

#[tokio::test]
async fn it_looks_when_something_changed_and_seldom_otherwise() {
    let mut world = World::new();
    assert_eq!((world.round().await, world.looks()), (0, 0), "of nothing there is nothing to see");
    world.park("e1", &["w1"]).await;
    assert_eq!((world.round().await, world.looks()), (1, 1));
    world.clock.advance(Duration::from_secs(5));
    assert_eq!((world.round().await, world.looks()), (0, 0));
    // One went and one came.
    let id = world.queue.list(None, 1).await.expect("listed")[0].id;
    assert!(world.queue.discard(id).await.expect("discarded"));
    world.park("e2", &["w1"]).await;
    world.clock.advance(Duration::from_secs(5));
    assert_eq!((world.round().await, world.looks()), (0, 0), "the count is the same");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!((world.round().await, world.looks()), (1, 1), "but once a minute it looks");
    assert_eq!(world.states("e2").await, [IsParked]);
}

#[tokio::test]
async fn what_comes_back_to_be_parked_again_is_noted_again() {
    let mut world = World::new();
    let event = world.park("e1", &["w1"]).await;
    assert_eq!(world.round().await, 1);
    let id = world.queue.list(None, 1).await.expect("listed")[0].id;
    assert!(world.queue.redrive(id).await.expect("redriven"));
    let asked = postrider_ports::progress::Asked { id: world.rows("e1").await[0].id, day: event.head.day() };
    postrider_ports::log::Reopen::reopen(&*world.log, &[asked], event.head.accepted_at)
        .await
        .expect("opened");
    assert_eq!(world.states("e1").await, [Pending]);
    let mut consumer = Consumers::<DeliverMessage>::consumer(&world.queue, deliver(&event, &["w1"]).queue());
    let received = consumer.receive(1).await.expect("received").pop().expect("one");
    received.lease.park("again").await.expect("parked");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.round().await, 1);
    assert_eq!(world.states("e1").await, [IsParked]);
    assert_eq!(world.rows("e1").await[0].reason.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_look_that_fails_is_repeated_and_loses_nothing() {
    let mut world = World::new();
    world.park("e1", &["w1"]).await;
    world.parked.refusals.store(1, Ordering::SeqCst);
    world.watch.round(&mut world.memory).await.expect_err("the broker is away");
    assert_eq!(world.states("e1").await, [Pending]);
    assert_eq!(world.round().await, 1);
    assert_eq!(world.states("e1").await, [IsParked]);
}

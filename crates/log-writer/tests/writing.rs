//! Batches are acknowledged after the commit, and nothing is lost or held up by what cannot be stored.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::message::{Queue, RecordsMessage};
use postrider_domain::record::Record;
use postrider_log_writer::batch::Batch;
use postrider_log_writer::{Deps, Settings, Stepped, Writer, run};
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{LogWrite, Poisoned};
use postrider_ports::queue::{Consumers, Depth, Depths, Parked, Publish};
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::ManualClock;
use postrider_testkit::builders::{call, event, outgoing};
use postrider_testkit::queue::MemoryQueue;
use tokio::sync::Semaphore;

/// A log that writes as scripted, and well when the script has ended.
#[derive(Default)]
struct FakeLog {
    script: Mutex<VecDeque<PortResult<Vec<Poisoned>>>>,
    batches: Mutex<Vec<Vec<Record>>>,
    /// While set, a write begins and waits here.
    gate: Option<Gate>,
}

struct Gate {
    began: Semaphore,
    open: Semaphore,
}

impl FakeLog {
    fn answers(script: impl IntoIterator<Item = PortResult<Vec<Poisoned>>>) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(script.into_iter().collect()), ..Self::default() })
    }

    fn sizes(&self) -> Vec<usize> {
        self.batches.lock().expect("lock").iter().map(Vec::len).collect()
    }
}

#[async_trait]
impl LogWrite for FakeLog {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        self.batches.lock().expect("lock").push(batch.to_vec());
        if let Some(gate) = &self.gate {
            gate.began.add_permits(1);
            gate.open.acquire().await.expect("never closed").forget();
        }
        self.script.lock().expect("lock").pop_front().unwrap_or(Ok(Vec::new()))
    }
}

struct World {
    clock: Arc<ManualClock>,
    queue: MemoryQueue,
    shutdown: Shutdown,
    health: Health,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        Self { queue: MemoryQueue::new(clock.clone()), clock, shutdown, health }
    }

    /// Publishes a message of so many records.
    async fn publish(&self, records: u32) {
        let event = event("Entry.publish").carried();
        let records = (1..=records).map(|attempt| call(&event, "w1", attempt).record()).collect();
        self.queue.publish(vec![outgoing(RecordsMessage { records })]).await.expect("stored");
    }

    fn writer(&self, log: &Arc<FakeLog>) -> Writer {
        Writer::new(self.queue.consumer(Queue::Records), log.clone(), 40)
    }

    /// Runs without waiting for a batch to grow.
    fn run(&self, log: &Arc<FakeLog>) -> impl Future<Output = Result<(), PortError>> + use<> {
        self.run_with(log, Settings { linger: Duration::ZERO, ..Settings::default() })
    }

    fn run_with(
        &self,
        log: &Arc<FakeLog>,
        settings: Settings,
    ) -> impl Future<Output = Result<(), PortError>> + use<> {
        let deps = Deps {
            records: Arc::new(self.queue.clone()),
            log: log.clone(),
            clock: self.clock.clone(),
            health: self.health.component("log-writer"),
        };
        run(settings, deps, self.shutdown.clone())
    }

    async fn depth(&self) -> Depth {
        self.queue.depth(Queue::Records).await.expect("a depth")
    }

    async fn parked(&self) -> Vec<String> {
        let parked = self.queue.list(None, 10).await.expect("a list");
        parked.into_iter().map(|one| one.reason).collect()
    }
}

fn poisoned(index: usize) -> Poisoned {
    Poisoned { index, reason: format!("record number {index} of the batch is too odd") }
}

#[tokio::test]
async fn what_waits_becomes_one_batch_that_is_acknowledged_after_its_commit() {
    let world = World::new();
    let gate = Gate { began: Semaphore::new(0), open: Semaphore::new(0) };
    let log = Arc::new(FakeLog { gate: Some(gate), ..FakeLog::default() });
    for _ in 0..3 {
        world.publish(2).await;
    }
    let mut writer = world.writer(&log);
    let mut step = Box::pin(writer.step());
    assert!((&mut step).now_or_never().is_none());
    assert_eq!(world.depth().await, Depth { ready: 0, delayed: 0, leased: 3 }, "not before the commit");
    log.gate.as_ref().expect("a gate").open.add_permits(1);
    assert_eq!(step.await.expect("written"), Stepped { written: 6, parked: 0 });
    assert_eq!(world.depth().await, Depth::default());
    assert_eq!(log.sizes(), [6]);
}

#[tokio::test]
async fn a_poisoned_record_parks_its_own_message_with_the_reason_and_holds_up_no_other() {
    let world = World::new();
    let log = FakeLog::answers([Ok(vec![poisoned(3), poisoned(4)])]);
    for records in [2, 3, 1] {
        world.publish(records).await;
    }
    let stepped = world.writer(&log).step().await.expect("written");
    assert_eq!(stepped, Stepped { written: 4, parked: 1 });
    assert_eq!(world.depth().await, Depth::default());
    let reasons = world.parked().await;
    assert_eq!(reasons.len(), 1);
    for word in ["record 2 of 3", "record 3 of 3", "record number 3 of the batch is too odd"] {
        assert!(reasons[0].contains(word), "{reasons:?}");
    }
}

#[tokio::test]
async fn of_a_call_that_cannot_be_stored_the_outcome_is_kept() {
    let world = World::new();
    let log = FakeLog::answers([Ok(vec![poisoned(0), poisoned(1)])]);
    let event = event("Entry.publish").carried();
    let retried = call(&event, "w2", 1).failed(500, Some(world.clock.now())).record();
    let records = vec![call(&event, "w1", 2).record(), retried, call(&event, "w3", 1).record()];
    world.queue.publish(vec![outgoing(RecordsMessage { records })]).await.expect("stored");
    world.writer(&log).step().await.expect("written");
    let batches = log.batches.lock().expect("lock").clone();
    assert_eq!(batches.len(), 2);
    let [Record::Settled(outcome)] = batches[1].as_slice() else { panic!("{:?}", batches[1]) };
    assert_eq!((outcome.delivery.webhook.as_str(), outcome.attempt), ("w1", 2));
    assert_eq!(outcome.state, DeliveryState::Delivered);
    assert_eq!(world.parked().await.len(), 1);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_kept_now_is_kept_when_the_message_comes_again() {
    let world = World::new();
    let odd = || Ok(vec![poisoned(0)]);
    let log = FakeLog::answers([odd(), Err(PortError::transient("the disk is full")), odd(), Ok(Vec::new())]);
    world.publish(1).await;
    let mut writer = world.writer(&log);
    writer.step().await.expect_err("the store is away");
    assert!(world.parked().await.is_empty());
    writer.step().await.expect("written");
    assert_eq!((log.sizes(), world.parked().await.len()), (vec![1; 4], 1));
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_consumed_and_no_message_is_blamed() {
    let world = World::new();
    let away = || Err(PortError::transient("the disk is full"));
    let log = FakeLog::answers((0..30).map(|_| away()));
    world.publish(1).await;
    let mut running = Box::pin(world.run(&log));
    let mut pauses = Vec::new();
    for _ in 0..30 {
        assert!((&mut running).now_or_never().is_none());
        assert!(world.health.not_ready()["log-writer"].contains("the disk is full"));
        assert_eq!(world.depth().await, Depth { ready: 1, delayed: 0, leased: 0 });
        let before = world.clock.now();
        let until = world.clock.someone_sleeps().await;
        pauses.push(until.since(before));
        world.clock.set(until);
    }
    assert!((&mut running).now_or_never().is_none());
    assert!(world.health.not_ready().is_empty(), "it recovers by itself");
    assert_eq!(world.depth().await, Depth::default());
    assert!(world.parked().await.is_empty(), "30 faults of ours are no fault of the message");
    assert_eq!(pauses[0], Duration::from_millis(100));
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
    assert_eq!(pauses.last(), Some(&Duration::from_secs(5)));
}

#[tokio::test]
async fn a_message_that_the_store_refuses_for_good_is_parked_in_the_end() {
    let world = World::new();
    let log = FakeLog::answers((0..20).map(|_| Err(PortError::permanent("no such table"))));
    world.publish(1).await;
    let mut writer = world.writer(&log);
    for _ in 0..20 {
        assert!(world.parked().await.is_empty());
        writer.step().await.expect_err("refused");
    }
    assert_eq!(world.parked().await, ["no such table"]);
    assert_eq!(world.depth().await, Depth::default());
}

#[tokio::test]
async fn asked_to_stop_it_finishes_the_batch_it_has_begun_and_begins_no_other() {
    let world = World::new();
    let gate = Gate { began: Semaphore::new(0), open: Semaphore::new(0) };
    let log = Arc::new(FakeLog { gate: Some(gate), ..FakeLog::default() });
    world.publish(1).await;
    let mut running = Box::pin(world.run(&log));
    assert!((&mut running).now_or_never().is_none());
    let gate = log.gate.as_ref().expect("a gate");
    gate.began.acquire().await.expect("never closed").forget();
    world.shutdown.begin();
    assert!((&mut running).now_or_never().is_none(), "it holds a batch");
    world.publish(1).await;
    gate.open.add_permits(2);
    running.await.expect("it ends");
    assert_eq!(log.sizes(), [1]);
    assert_eq!(world.depth().await, Depth { ready: 1, delayed: 0, leased: 0 });
}

#[tokio::test]
async fn asked_to_stop_while_it_waits_it_ends_at_once() {
    let world = World::new();
    let log = FakeLog::answers([]);
    let mut running = Box::pin(world.run(&log));
    assert!((&mut running).now_or_never().is_none());
    world.shutdown.begin();
    running.await.expect("it ends");
    let away = FakeLog::answers([Err(PortError::transient("away"))]);
    let world = World::new();
    world.publish(1).await;
    let mut running = Box::pin(world.run(&away));
    assert!((&mut running).now_or_never().is_none());
    world.shutdown.begin();
    running.await.expect("it ends in its pause, too");
}

#[tokio::test]
async fn after_a_recovery_the_pauses_begin_small_again() {
    let world = World::new();
    let away = || Err(PortError::transient("the disk is full"));
    let log = FakeLog::answers([away(), away(), Ok(Vec::new()), away()]);
    world.publish(1).await;
    let mut running = Box::pin(world.run(&log));
    let mut pauses = Vec::new();
    for recovers in [false, true, false] {
        assert!((&mut running).now_or_never().is_none());
        let until = world.clock.someone_sleeps().await;
        pauses.push(until.since(world.clock.now()).as_millis());
        world.clock.set(until);
        if recovers {
            assert!((&mut running).now_or_never().is_none());
            assert!(world.health.not_ready().is_empty());
            world.publish(1).await;
        }
    }
    assert_eq!(pauses, [100, 200, 100]);
}

#[tokio::test]
async fn a_message_of_a_newer_version_stays_where_it_is_and_the_service_says_so() {
    let world = World::new();
    let log = FakeLog::answers([]);
    world.queue.park(Queue::Records.as_str(), "put there by the test", b"{\"v\":7}").await.expect("parked");
    let parked = world.queue.list(None, 1).await.expect("a list");
    assert!(world.queue.redrive(parked[0].id).await.expect("redriven"));
    let mut running = Box::pin(world.run(&log));
    for _ in 0..3 {
        assert!((&mut running).now_or_never().is_none());
        assert!(world.health.not_ready()["log-writer"].contains("version 7"));
        assert_eq!(world.depth().await, Depth { ready: 1, delayed: 0, leased: 0 });
        world.clock.set(world.clock.someone_sleeps().await);
    }
    assert!(log.sizes().is_empty() && world.parked().await.is_empty());
}

#[test]
fn reasons_fall_to_the_message_that_brought_the_record() {
    let event = event("Entry.publish").carried();
    let records = |count: u32| (1..=count).map(|n| call(&event, "w1", n).record()).collect::<Vec<_>>();
    let mut batch = Batch::default();
    for count in [2, 0, 1] {
        batch.push(records(count));
    }
    let reasons = batch.reasons(&[Poisoned { index: 2, reason: "odd".into() }]);
    assert_eq!(reasons, [None, None, Some("record 1 of 1: odd".into())]);
    assert_eq!(batch.reasons(&[]), [None, None, None]);
}

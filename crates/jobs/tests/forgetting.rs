//! Old days go, part by part, and never what may still be needed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use postrider_domain::timestamp::{DAY_MS, Day, Timestamp};
use postrider_jobs::{Deps, LONGEST_OPEN_RETRY, Settings, Sweeper, reconcile, run};
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::leader::Leadership;
use postrider_ports::log::{Removed, Retention};
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::reconcile::{MemoryEpochs, MemoryRuns, NoMarks};
use postrider_testkit::store::MemoryStore;
use postrider_testkit::{ManualClock, SeededRandom};
use tokio::task::unconstrained;

/// Forgets as scripted, and has nothing to forget when the script has ended.
#[derive(Default)]
struct FakeRetention {
    script: Mutex<VecDeque<PortResult<Removed>>>,
    asked: Mutex<Vec<Day>>,
}

impl FakeRetention {
    fn answers(script: impl IntoIterator<Item = PortResult<Removed>>) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(script.into_iter().collect()), ..Self::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("lock").iter().map(ToString::to_string).collect()
    }
}

#[async_trait]
impl Retention for FakeRetention {
    async fn remove_before(&self, before: Day) -> PortResult<Removed> {
        self.asked.lock().expect("lock").push(before);
        self.script.lock().expect("lock").pop_front().unwrap_or(Ok(Removed::default()))
    }
}

struct World {
    clock: Arc<ManualClock>,
    shutdown: Shutdown,
    health: Health,
}

impl World {
    fn new() -> Self {
        let noon = Timestamp::parse("2026-03-01T12:00:00Z").expect("valid");
        let shutdown = Shutdown::new();
        Self { clock: Arc::new(ManualClock::at(noon)), health: Health::new(shutdown.clone()), shutdown }
    }

    fn run(&self, retention: &Arc<FakeRetention>) -> impl Future<Output = Result<(), PortError>> + use<> {
        let store = Arc::new(MemoryStore::new());
        let queue = Arc::new(MemoryQueue::new(self.clock.clone()));
        let deps = Deps {
            leadership: Arc::new(Alone),
            days: Arc::new(MemoryLog::new()),
            retention: retention.clone(),
            wellness: store.clone(),
            registry: store.clone(),
            disable: store,
            log: Arc::new(MemoryLog::new()),
            write: Arc::new(MemoryLog::new()),
            parked: queue.clone(),
            reconcile: reconcile::Ports {
                epochs: Arc::new(MemoryEpochs::new()),
                runs: Arc::new(MemoryRuns::new()),
                open: Arc::new(MemoryLog::new()),
                marks: Arc::new(NoMarks),
                write: Arc::new(MemoryLog::new()),
                deliver: queue.clone(),
                depths: queue,
                random: Arc::new(SeededRandom::new(1)),
            },
            clock: self.clock.clone(),
            health: self.health.component("jobs"),
        };
        // Polled thousands of times by one task, it would be made to pause elsewhere than in its sleep.
        unconstrained(run(Settings::default(), deps, self.shutdown.clone()))
    }

    /// How long the service sleeps now; then the clock stands there.
    async fn sleep_through(&self) -> Duration {
        let until = self.clock.someone_sleeps().await;
        let slept = until.since(self.clock.now());
        self.clock.set(until);
        slept
    }
}

/// Leads.
struct Alone;

#[async_trait]
impl Leadership for Alone {
    async fn hold(&self) -> PortResult<bool> {
        Ok(true)
    }
}

/// The rounds of an hour: the term is kept every 5 s.
const HOUR: usize = 720;

#[tokio::test]
async fn it_sweeps_at_once_in_parts_with_a_breath_between_and_then_every_hour() {
    let world = World::new();
    let retention = FakeRetention::answers([
        Ok(Removed { rows: 1000, more: true }),
        Ok(Removed { rows: 1000, more: true }),
        Ok(Removed { rows: 10, more: false }),
    ]);
    let mut running = Box::pin(world.run(&retention));
    let mut sleeps = Vec::new();
    for _ in 0..3 {
        assert!((&mut running).now_or_never().is_none());
        sleeps.push(world.sleep_through().await);
    }
    let (breath, round) = (Duration::from_millis(50), Duration::from_secs(5));
    assert_eq!(sleeps, [breath, breath, round]);
    assert_eq!(retention.asked(), ["2026-01-30"; 3], "thirty days before the first of March");
    assert!(world.health.not_ready().is_empty());
    for _ in 1..HOUR {
        assert!((&mut running).now_or_never().is_none());
        assert_eq!(retention.asked().len(), 3, "not before the hour is over");
        world.sleep_through().await;
    }
    assert!((&mut running).now_or_never().is_none());
    assert_eq!(retention.asked().len(), 4);
    world.shutdown.begin();
    running.await.expect("it ends when asked to");
}

#[tokio::test]
async fn a_day_that_begins_moves_what_is_forgotten() {
    let world = World::new();
    let retention = FakeRetention::answers([]);
    let mut running = Box::pin(world.run(&retention));
    for _ in 0..=12 * HOUR {
        assert!((&mut running).now_or_never().is_none());
        world.sleep_through().await;
    }
    let asked = retention.asked();
    assert_eq!(asked.iter().filter(|day| *day == "2026-01-30").count(), 12);
    assert_eq!(asked.last().map(String::as_str), Some("2026-01-31"));
}

#[tokio::test]
async fn a_failed_sweep_is_tried_again_at_its_next_time() {
    let world = World::new();
    let retention = FakeRetention::answers([Err(PortError::transient("the database is locked"))]);
    let mut running = Box::pin(world.run(&retention));
    for _ in 0..HOUR {
        assert!((&mut running).now_or_never().is_none());
        assert_eq!(retention.asked().len(), 1);
        world.sleep_through().await;
    }
    assert!((&mut running).now_or_never().is_none());
    assert_eq!(retention.asked().len(), 2);
}

#[tokio::test]
async fn asked_to_stop_it_ends_in_its_breath_and_removes_no_further_part() {
    let world = World::new();
    let retention = FakeRetention::answers([Ok(Removed { rows: 1000, more: true })]);
    let mut running = Box::pin(world.run(&retention));
    assert!((&mut running).now_or_never().is_none());
    world.shutdown.begin();
    // Both have come: the stop goes first.
    world.sleep_through().await;
    running.await.expect("it ends");
    assert_eq!(retention.asked().len(), 1);
}

#[tokio::test]
async fn whatever_is_set_the_longest_open_retry_keeps_what_it_needs() {
    let world = World::new();
    let retention = FakeRetention::answers([]);
    let sweeper = Sweeper::new(retention.clone(), world.clock.clone(), 1);
    sweeper.step().await.expect("swept");
    let before = retention.asked.lock().expect("lock")[0].start();
    // An event of the first kept day may have been accepted in its first instant and wait the longest delay.
    assert!(
        world.clock.now().minus(LONGEST_OPEN_RETRY)
            > before.plus(Duration::from_millis(DAY_MS.unsigned_abs()))
    );
    assert_eq!(retention.asked(), ["2026-02-15"], "fourteen days, not one");
}

//! Servers that processes of jobs share, and what goes wrong with them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::event::Carried;
use postrider_domain::message::{DeliverMessage, Lane, Queue};
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_jobs::reconcile::{self, Ports};
use postrider_jobs::{Deps, Settings, run};
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::leader::Leadership;
use postrider_ports::log::{Days, LogWrite, Removed, Retention};
use postrider_ports::progress::Marks;
use postrider_ports::queue::{Depth, Depths, Outgoing, Publish};
use postrider_ports::reconcile::{Cause, Epoch, Reconciliations, Run};
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::builders::{call, event, matched, settled};
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::reconcile::{MemoryEpochs, MemoryRuns};
use postrider_testkit::store::MemoryStore;
use postrider_testkit::{ManualClock, SeededRandom};

pub(crate) const ROUND: Duration = Duration::from_secs(5);

/// What the processes share: servers, and what goes wrong with them.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) health: Health,
    pub(crate) epochs: Arc<MemoryEpochs>,
    pub(crate) runs: Arc<MemoryRuns>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) holder: Arc<Mutex<Weak<()>>>,
}

/// The queues: what was published, and how many records wait.
#[derive(Default)]
pub(crate) struct Broker {
    pub(crate) published: Mutex<Vec<Outgoing<DeliverMessage>>>,
    pub(crate) records: AtomicUsize,
    /// First attempts that nobody has taken.
    pub(crate) untried: AtomicUsize,
    pub(crate) is_away: AtomicBool,
    pub(crate) marks: Mutex<HashMap<DeliveryId, Progress>>,
    /// Publishes that succeed and are not told so.
    pub(crate) unheard: AtomicUsize,
}

struct Idle;

/// The term: gone with its holder.
struct Term(Arc<Mutex<Weak<()>>>, Arc<()>);

#[async_trait]
impl Leadership for Term {
    async fn hold(&self) -> PortResult<bool> {
        let mut holder = self.0.lock().expect("no panic");
        if holder.upgrade().is_none() {
            *holder = Arc::downgrade(&self.1);
        }
        Ok(holder.ptr_eq(&Arc::downgrade(&self.1)))
    }
}

#[async_trait]
impl Days for Idle {
    async fn prepare(&self, _: Day) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Retention for Idle {
    async fn remove_before(&self, _: Day) -> PortResult<Removed> {
        Ok(Removed::default())
    }
}

#[async_trait]
impl Publish<DeliverMessage> for Broker {
    async fn publish(&self, batch: Vec<Outgoing<DeliverMessage>>) -> PortResult<()> {
        self.published.lock().expect("no panic").extend(batch);
        let unheard =
            self.unheard.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
        unheard.map_or(Ok(()), |_| Err(PortError::transient("the confirm was lost")))
    }
}

#[async_trait]
impl Marks for Broker {
    async fn mark(&self, marks: &[(DeliveryId, Progress)]) -> PortResult<()> {
        self.marks.lock().expect("no panic").extend(marks.iter().copied());
        Ok(())
    }

    async fn marked(&self, ids: &[DeliveryId]) -> PortResult<Vec<Option<Progress>>> {
        let marks = self.marks.lock().expect("no panic");
        Ok(ids.iter().map(|id| marks.get(id).copied()).collect())
    }
}

#[async_trait]
impl Depths for Broker {
    async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(PortError::transient("the broker is away"));
        }
        let waiting = if queue == Queue::Records { &self.records } else { &self.untried };
        let ready = waiting.load(Ordering::SeqCst) as u64;
        Ok(Depth { ready, ..Depth::default() })
    }
}

pub(crate) type Process = Pin<Box<dyn Future<Output = Result<(), PortError>>>>;

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        Self {
            clock,
            health: Health::new(Shutdown::new()),
            epochs: Arc::new(MemoryEpochs::new()),
            runs: Arc::new(MemoryRuns::new()),
            log: Arc::new(MemoryLog::new()),
            broker: Arc::default(),
            holder: Arc::default(),
        }
    }

    pub(crate) fn process(&self, seed: u64) -> Process {
        let store = Arc::new(MemoryStore::new());
        let deps = Deps {
            leadership: Arc::new(Term(self.holder.clone(), Arc::default())),
            days: Arc::new(Idle),
            retention: Arc::new(Idle),
            wellness: store.clone(),
            registry: store.clone(),
            disable: store,
            log: self.log.clone(),
            write: self.log.clone(),
            parked: Arc::new(MemoryQueue::new(self.clock.clone())),
            reconcile: Ports {
                epochs: self.epochs.clone(),
                runs: self.runs.clone(),
                open: self.log.clone(),
                marks: self.broker.clone(),
                write: self.log.clone(),
                deliver: self.broker.clone(),
                depths: self.broker.clone(),
                random: Arc::new(SeededRandom::new(seed)),
            },
            clock: self.clock.clone(),
            health: self.health.component("jobs"),
        };
        Box::pin(run(settings(), deps, Shutdown::new()))
    }

    /// Lets time pass, in steps that a process notices each.
    pub(crate) fn pass(&self, process: &mut Process, time: Duration) {
        let until = self.clock.now().plus(time);
        while self.clock.now() < until {
            self.clock.advance(Duration::from_millis(250));
            poll(process);
        }
    }

    /// A process that leads on a broker that has its epoch.
    pub(crate) fn leading(&self) -> Process {
        let mut process = self.process(1);
        poll(&mut process);
        assert_eq!(self.published(), [""; 0]);
        process
    }

    pub(crate) async fn write(&self, records: &[postrider_domain::record::Record]) {
        assert_eq!(self.log.write(records).await.expect("in memory"), []);
    }

    /// What was published since it was asked last, and for when.
    pub(crate) fn published(&self) -> Vec<String> {
        let published = std::mem::take(&mut *self.broker.published.lock().expect("no panic"));
        let told = |one: &Outgoing<DeliverMessage>| {
            assert!(one.suspect && one.message.lane == Lane::Late, "{one:?}");
            let [target] = &one.message.targets[..] else { panic!("{one:?}") };
            let wait = one.not_before.map_or(0, |at| at.since(self.clock.now()).as_secs());
            format!("{} {} {} in {wait} s", one.message.event.head.id, target.webhook, target.attempt)
        };
        published.iter().map(told).collect()
    }

    pub(crate) async fn last_run(&self) -> Run {
        self.runs.runs().await.expect("in memory").into_iter().next().expect("there was one")
    }

    pub(crate) async fn ask(&self, overdue: Duration) {
        let before = self.clock.now().minus(overdue);
        let asked = Run::new(Epoch(uuid::Uuid::from_u128(99)), Cause::ByHand, self.clock.now());
        let run = Run { until: before, due_before: Some(before), ..asked };
        assert!(self.runs.enter(&run).await.expect("in memory"));
    }
}

pub(crate) fn settings() -> Settings {
    let reconcile = reconcile::Settings { page: 2, ..reconcile::Settings::default() };
    Settings { reconcile, ..Settings::default() }
}

pub(crate) fn poll(process: &mut Process) {
    assert!(
        tokio::task::unconstrained(process).now_or_never().is_none(),
        "it runs until it is asked to stop"
    );
}

pub(crate) fn an_event(id: &str, at: Timestamp) -> Carried {
    event("Entry.publish").id(id).at(at).carried()
}

/// Five deliveries that are open: one untried, two that wait for a retry, one put aside, one with nothing known of its
/// event; and one that is done.
pub(crate) async fn fill(world: &World) {
    let now = world.clock.now();
    let event = an_event("e", now);
    let in_an_hour = Some(now.plus(Duration::from_hours(1)));
    world
        .write(&[
            matched(&event, &["aside", "done", "hour", "new", "soon"], &[]),
            call(&event, "done", 1).record(),
            call(&event, "hour", 1).failed(500, in_an_hour).record(),
            call(&event, "soon", 1).failed(500, Some(now.plus(Duration::from_secs(9)))).record(),
            settled(&event, "aside", DeliveryState::Parked, now),
            call(&an_event("unknown", now), "w", 1).failed(500, in_an_hour).record(),
        ])
        .await;
}

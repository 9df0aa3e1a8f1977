//! Of several processes one works, and another goes on when it is gone.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_jobs::{Deps, Settings, reconcile, run};
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::leader::Leadership;
use postrider_ports::log::{Days, Removed, Retention};
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::reconcile::{MemoryEpochs, MemoryRuns, NoMarks};
use postrider_testkit::store::MemoryStore;
use postrider_testkit::{ManualClock, SeededRandom};

const ROUND: Duration = Duration::from_secs(5);

/// What the processes did, and what goes wrong for them.
#[derive(Default)]
struct Log {
    did: Mutex<Vec<String>>,
    /// What preparing and the term answer instead of going well.
    faults: Mutex<VecDeque<&'static str>>,
    /// Who has the term: gone with its holder.
    holder: Mutex<Weak<()>>,
    /// How often a sweep says that there is more.
    more: Mutex<u32>,
}

/// One process's view of the log.
struct Seen {
    log: Arc<Log>,
    name: &'static str,
    me: Arc<()>,
}

impl Seen {
    fn note(&self, what: &str) {
        self.log.did.lock().expect("no panic").push(format!("{} {what}", self.name));
    }

    fn fault(&self, what: &str) -> PortResult<()> {
        let mut faults = self.log.faults.lock().expect("no panic");
        if faults.front() != Some(&what) {
            return Ok(());
        }
        faults.pop_front();
        Err(PortError::transient("the server is away"))
    }
}

#[async_trait]
impl Leadership for Seen {
    async fn hold(&self) -> PortResult<bool> {
        self.fault("term")?;
        let mut holder = self.log.holder.lock().expect("no panic");
        if holder.upgrade().is_none() {
            *holder = Arc::downgrade(&self.me);
        }
        Ok(holder.ptr_eq(&Arc::downgrade(&self.me)))
    }
}

#[async_trait]
impl Days for Seen {
    async fn prepare(&self, today: Day) -> PortResult<()> {
        self.note(&format!("prepares {today}"));
        self.fault("prepare")
    }
}

#[async_trait]
impl Retention for Seen {
    async fn remove_before(&self, _: Day) -> PortResult<Removed> {
        self.note("sweeps");
        let mut more = self.log.more.lock().expect("no panic");
        *more = more.saturating_sub(1);
        Ok(Removed { rows: 1, more: *more > 0 })
    }
}

/// Processes that share a log and a clock.
struct World {
    clock: Arc<ManualClock>,
    log: Arc<Log>,
    health: Health,
}

type Process = Pin<Box<dyn Future<Output = Result<(), PortError>>>>;

impl World {
    fn new() -> Self {
        let evening = Timestamp::parse("2026-03-01T23:59:52Z").expect("valid");
        let health = Health::new(Shutdown::new());
        Self { clock: Arc::new(ManualClock::at(evening)), log: Arc::default(), health }
    }

    fn process(&self, name: &'static str) -> Process {
        let seen = Arc::new(Seen { log: Arc::clone(&self.log), name, me: Arc::new(()) });
        let store = Arc::new(MemoryStore::new());
        let queue = Arc::new(MemoryQueue::new(self.clock.clone()));
        let deps = Deps {
            leadership: seen.clone(),
            days: seen.clone(),
            retention: seen,
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
            health: self.health.component(name),
        };
        Box::pin(run(Settings::default(), deps, Shutdown::new()))
    }

    /// What was done since it was asked last.
    fn did(&self) -> Vec<String> {
        std::mem::take(&mut self.log.did.lock().expect("no panic"))
    }
}

fn poll(process: &mut Process) {
    assert!(process.now_or_never().is_none(), "it runs until it is asked to stop");
}

#[tokio::test]
async fn one_of_two_works_and_when_it_is_killed_the_other_does_at_its_next_question() {
    let world = World::new();
    let (mut one, mut other) = (world.process("one"), world.process("other"));
    poll(&mut one);
    poll(&mut other);
    assert_eq!(world.did(), ["one prepares 2026-03-01", "one sweeps"]);
    assert!(world.health.not_ready().is_empty(), "who follows is ready to lead");
    drop(one);
    world.clock.set(world.clock.now().plus(ROUND).minus(Duration::from_millis(1)));
    poll(&mut other);
    assert_eq!(world.did(), [""; 0], "it asks every 5 s");
    world.clock.advance(Duration::from_millis(1));
    poll(&mut other);
    assert_eq!(world.did(), ["other prepares 2026-03-01", "other sweeps"]);
}

#[tokio::test]
async fn days_are_prepared_when_a_day_begins_and_what_failed_at_the_next_question() {
    let world = World::new();
    world.log.faults.lock().expect("no panic").push_back("prepare");
    let mut one = world.process("one");
    for expected in [
        &["one prepares 2026-03-01", "one sweeps"][..],
        &["one prepares 2026-03-01"],
        &["one prepares 2026-03-02"],
        &[],
    ] {
        poll(&mut one);
        assert_eq!(world.did(), expected, "at {}", world.clock.now());
        world.clock.advance(ROUND);
    }
}

#[tokio::test]
async fn who_loses_the_term_stops_in_the_middle_and_begins_anew_when_it_leads_again() {
    let world = World::new();
    *world.log.more.lock().expect("no panic") = 100;
    let mut one = world.process("one");
    poll(&mut one);
    let usurper = Arc::new(());
    *world.log.holder.lock().expect("no panic") = Arc::downgrade(&usurper);
    world.did();
    world.clock.advance(ROUND);
    poll(&mut one);
    assert_eq!(world.did(), [""; 0]);
    drop(usurper);
    world.clock.advance(ROUND);
    poll(&mut one);
    assert_eq!(world.did(), ["one prepares 2026-03-02", "one sweeps"]);
}

#[tokio::test]
async fn while_nobody_knows_who_leads_nobody_works_and_it_is_said() {
    let world = World::new();
    world.log.faults.lock().expect("no panic").push_back("term");
    let mut one = world.process("one");
    poll(&mut one);
    assert_eq!(world.did(), [""; 0]);
    let told = world.health.not_ready();
    assert!(format!("{told:?}").contains("who leads"), "{told:?}");
    world.clock.advance(ROUND);
    poll(&mut one);
    assert_eq!(world.did(), ["one prepares 2026-03-01", "one sweeps"]);
    assert!(world.health.not_ready().is_empty());
}

//! Webhooks that fail for days are disabled, others are not; what was left half-done is finished.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::operational::{Condition, FAILING_FOR, Ill};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::{DisabledBy, Status, Webhook};
use postrider_jobs::Nurse;
use postrider_ports::log::LogWrite;
use postrider_ports::registry::Registry;
use postrider_ports::wellness::Wellness;
use postrider_testkit::builders::{call, event, space, webhook, webhook_id};
use postrider_testkit::log::MemoryLog;
use postrider_testkit::store::MemoryStore;
use postrider_testkit::{ManualClock, START};

const HOUR: Duration = Duration::from_hours(1);

struct World {
    store: Arc<MemoryStore>,
    log: Arc<MemoryLog>,
    clock: Arc<ManualClock>,
    nurse: Nurse,
    calls: u32,
}

impl World {
    /// A webhook that fails since the start, and so far nothing else.
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::holding([webhook("w").build()]));
        let (log, clock) = (Arc::new(MemoryLog::new()), Arc::new(ManualClock::new()));
        let nurse = Nurse {
            wellness: store.clone(),
            registry: store.clone(),
            disable: store.clone(),
            log: log.clone(),
            clock: clock.clone(),
        };
        let world = Self { store, log, clock, nurse, calls: 0 };
        world.note(Ill::Failing, 0).await;
        world
    }

    async fn note(&self, ill: Ill, webhook_version: u64) {
        let condition = Condition {
            ill,
            at: START,
            since: START,
            webhook_version,
            reason: "the test says so".to_owned(),
            last_status: None,
            told: true,
        };
        self.store.note(&space("default"), &webhook_id("w"), &condition).await.expect("in memory");
    }

    /// A call at this instant, answered so.
    async fn call(&mut self, at: Timestamp, status: u16) {
        self.calls += 1;
        let event = event("Entry.publish").id(&format!("e{}", self.calls)).carried();
        let call = call(&event, "w", 1).at(at);
        let call = if status < 300 { call } else { call.failed(status, None) };
        self.log.write(&[call.record()]).await.expect("in memory");
    }

    /// A round at this instant.
    async fn round(&self, at: Timestamp) -> Webhook {
        self.clock.set(at);
        self.nurse.round().await.expect("in memory");
        self.store.get(&space("default"), &webhook_id("w")).await.expect("in memory").expect("it is there")
    }

    async fn noted(&self) -> Vec<Condition> {
        self.store.ill().await.expect("in memory").into_iter().map(|(.., one)| one).collect()
    }
}

fn after(time: Duration) -> Timestamp {
    START.plus(time)
}

#[tokio::test]
async fn five_days_of_failures_only_disable_it() {
    let mut world = World::new().await;
    world.call(after(HOUR), 503).await;
    world.call(after(4 * Duration::from_hours(24)), 503).await;
    assert!(world.round(after(FAILING_FOR + HOUR)).await.is_active(), "the last call was before that");
    world.call(after(FAILING_FOR + HOUR), 500).await;
    let webhook = world.round(after(FAILING_FOR + 2 * HOUR)).await;
    let Status::Disabled(why) = webhook.status else { panic!("it is active") };
    assert_eq!(why.by, DisabledBy::Failing);
    assert!(why.reason.contains("2026-01-01") && why.reason.contains("5 days"), "{}", why.reason);
    let noted = world.noted().await;
    assert_eq!((noted[0].ill, noted[0].told, noted[0].last_status), (Ill::Disabled, false, Some(500)));
    assert_eq!((noted[0].since, noted[0].at), (START, why.at), "a dispatcher tells it");
}

#[tokio::test]
async fn one_success_on_the_way_keeps_it_alive() {
    let mut world = World::new().await;
    world.call(after(2 * HOUR), 200).await;
    world.call(after(FAILING_FOR + HOUR), 503).await;
    assert!(world.round(after(FAILING_FOR + 2 * HOUR)).await.is_active());
}

#[tokio::test]
async fn nobody_is_disabled_for_silence() {
    let world = World::new().await;
    assert!(world.round(after(FAILING_FOR + 2 * HOUR)).await.is_active(), "no call");
    let mut world = World::new().await;
    world.call(after(HOUR), 503).await;
    assert!(world.round(after(10 * FAILING_FOR)).await.is_active(), "one failure, long ago");
}

#[tokio::test]
async fn a_change_of_the_webhook_is_a_new_beginning() {
    let mut world = World::new().await;
    let mut changed = webhook("w").version(1).build();
    changed.audit.updated_at = after(FAILING_FOR);
    world.store.update(&changed, 0).await.expect("in memory");
    world.call(after(HOUR), 503).await;
    world.call(after(FAILING_FOR + HOUR), 503).await;
    assert!(world.round(after(FAILING_FOR + 2 * HOUR)).await.is_active());
    world.call(after(2 * FAILING_FOR), 503).await;
    assert!(!world.round(after(2 * FAILING_FOR)).await.is_active());
}

#[tokio::test]
async fn what_was_noted_and_not_done_is_done_unless_somebody_enabled_it_since() {
    let world = World::new().await;
    world.note(Ill::Disabled, 0).await;
    let webhook = world.round(after(HOUR)).await;
    let Status::Disabled(why) = &webhook.status else { panic!("it is active") };
    assert_eq!(why.reason, "the test says so");
    let enabled = Webhook { status: Status::Active, version: webhook.version + 1, ..webhook.clone() };
    world.store.update(&enabled, webhook.version).await.expect("in memory");
    assert!(world.round(after(2 * HOUR)).await.is_active());
}

#[tokio::test]
async fn the_deleted_are_forgotten() {
    let world = World::new().await;
    world.store.delete(&space("default"), &webhook_id("w"), None).await.expect("in memory");
    world.nurse.round().await.expect("in memory");
    assert_eq!(world.noted().await, []);
}

//! When failed deliveries are tried again, to the millisecond.

use std::time::Duration;

use postrider_domain::outcome::FailureKind;
use postrider_domain::retry::{RetryOn, RetryPolicy, Schedule};
use postrider_testkit::builders::{event, webhook};
use postrider_testkit::{RealClock, START};

use crate::receiver::Answer;
use crate::world::{World, seconds};

/// A world whose index needs no look for days.
fn patient(world: World) -> World {
    let mut world = world;
    world.settings.refresh = Duration::from_hours(1000);
    world.settings.unverified_for = Duration::from_hours(1000);
    world
}

#[tokio::test(start_paused = true)]
async fn the_default_schedule_is_kept_to_the_millisecond() {
    let policy = RetryPolicy {
        schedule: Schedule::Exponential {
            initial: seconds(5),
            factor: 4.0,
            max_delay: Duration::from_hours(6),
            max_attempts: 10,
            jitter: 0.0,
        },
        on: RetryOn::default(),
    };
    let world = patient(World::with([webhook("w").topic("*.*").retry(policy).build()]));
    world.receiver.script("/w", &[Answer::Status(500)]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(Duration::from_hours(24)).await;
    let expected = [0.0, 5.0, 25.0, 105.0, 425.0, 1705.0, 6825.0, 27305.0, 48905.0, 70505.0];
    assert_eq!(world.arrived_at("w"), expected);
    let calls = world.calls("w");
    for (at, call) in calls.iter().enumerate() {
        let next = expected.get(at + 1).map(|next| START.plus(Duration::from_secs_f64(*next)));
        assert_eq!(call.next_at, next, "attempt {}", call.attempt);
    }
    assert_eq!(world.balance(), [("given_up", 1)].into());
    running.stop().await;
    world.assert_empty().await;
}

/// Seconds from the first attempt, as the documents have them: DatoCMS's seven retries after 2 and 6 min, 30 min, 1 h, 5 h, 1
/// and 2 days; Contentstack's after 5, 25, 125 and 625 s; Contentful's two, 30 s apart; the specification of Standard Webhooks.
const SCHEDULES: [(&str, &[f64]); 5] = [
    ("datocms", &[0.0, 120.0, 480.0, 2_280.0, 5_880.0, 23_880.0, 110_280.0, 283_080.0]),
    ("contentstack", &[0.0, 5.0, 30.0, 155.0, 780.0]),
    ("contentful", &[0.0, 30.0, 60.0]),
    (
        "standard-webhooks",
        &[0.0, 5.0, 305.0, 2_105.0, 9_305.0, 27_305.0, 63_305.0, 113_705.0, 185_705.0, 272_105.0],
    ),
    ("none", &[0.0]),
];

#[tokio::test(start_paused = true)]
async fn each_named_schedule_is_kept_to_the_instants_of_its_document() {
    let named = SCHEDULES
        .map(|(name, _)| webhook(name).topic("*.*").retry(RetryPolicy::named(name).expect("known")).build());
    let world = patient(World::with(named));
    for (name, _) in SCHEDULES {
        world.receiver.script(&format!("/{name}"), &[Answer::Status(500)]);
    }
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(Duration::from_hours(79)).await;
    for (name, instants) in SCHEDULES {
        assert_eq!(world.arrived_at(name), instants, "{name}");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cms_dialect_keeps_the_schedule_of_its_document_unless_told_otherwise() {
    let names = ["datocms", "contentstack", "contentful"];
    let world = patient(World::with(names.map(|name| webhook(name).dialect(name).topic("*.*").build())));
    for name in names {
        world.receiver.script(&format!("/{name}"), &[Answer::Status(500)]);
    }
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    // DatoCMS's first three retries; the two others are done.
    world.pass(Duration::from_mins(45)).await;
    for (name, instants) in SCHEDULES.into_iter().filter(|(name, _)| names.contains(name)) {
        let due: Vec<f64> = instants.iter().copied().filter(|at| *at <= 2_700.0).collect();
        assert_eq!(world.arrived_at(name), due, "{name}");
    }
    let deadlines = names.map(|name| {
        let request = &world.arrived(name)[0].request;
        (request.timeout, request.connect)
    });
    let of =
        |seconds: u64, connect: Option<u64>| (Duration::from_secs(seconds), connect.map(Duration::from_secs));
    assert_eq!(deadlines, [of(8, Some(2)), of(30, None), of(30, None)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn jitter_comes_from_the_port_and_stays_within_a_fifth() {
    let world = patient(World::with((0..20).map(|at| webhook(&format!("w{at}")).topic("*.*").build())));
    world.receiver.script("/w", &vec![Answer::Status(500); 20]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(seconds(1)).await;
    world.receiver.script("/w", &[Answer::Status(200)]);
    world.pass(seconds(10)).await;
    let mut retried = world.arrived_at("w").split_off(20);
    assert_eq!(retried.len(), 20);
    assert!(retried.iter().all(|at| (5.0..=6.0).contains(at)), "{retried:?}");
    retried.dedup();
    assert!(retried.len() > 10, "they are spread: {retried:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn retry_after_moves_the_next_attempt_later_and_never_earlier() {
    let world = patient(World::with([webhook("w").topic("*.*").delays(&[seconds(30); 4]).build()]));
    let http_date = "Thu, 01 Jan 2026 00:05:00 GMT".to_owned();
    world.receiver.script(
        "/w",
        &[
            Answer::With(429, "Retry-After", "100".to_owned()),
            Answer::With(503, "retry-after", http_date),
            Answer::With(429, "Retry-After", "1".to_owned()),
            Answer::With(500, "Retry-After", "1000".to_owned()),
            Answer::Status(200),
        ],
    );
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(seconds(1000)).await;
    assert_eq!(world.arrived_at("w"), [0.0, 100.0, 300.0, 330.0, 360.0]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn transport_failures_are_retried_and_a_blocked_address_is_not() {
    let world = patient(World::with([
        webhook("dns").topic("*.*").delays(&[seconds(5)]).build(),
        webhook("blocked").topic("*.*").delays(&[seconds(5)]).build(),
        webhook("slow").topic("*.*").delays(&[seconds(5)]).timeout(seconds(3)).build(),
    ]));
    world.receiver.script("/dns", &[Answer::Failure(FailureKind::Dns), Answer::Status(200)]);
    world.receiver.script("/blocked", &[Answer::Failure(FailureKind::AddressBlocked)]);
    world.receiver.script("/slow", &[Answer::Hangs, Answer::Status(200)]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.arrived_at("dns"), [0.0, 5.0]);
    assert_eq!(world.arrived_at("blocked"), [0.0]);
    assert_eq!(world.arrived_at("slow"), [0.0, 8.0], "five seconds after the time-out");
    assert_eq!(world.balance(), [("delivered", 2), ("given_up", 1)].into());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn delays_below_a_second_wait_in_the_process_and_leave_no_gap_in_the_evidence() {
    let short = [Duration::from_millis(200), Duration::from_millis(700)];
    let world = patient(World::with([webhook("w").topic("*.*").delays(&short).build()]));
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(500), Answer::Status(200)]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(Duration::from_millis(100)).await;
    assert!(world.calls("w").is_empty(), "a record alone would say that a second message exists");
    assert_eq!(world.depth().await.leased, 1);
    world.pass(seconds(2)).await;
    assert_eq!(world.arrived_at("w"), [0.0, 0.2, 0.9]);
    let attempts: Vec<_> = world.calls("w").iter().map(|call| (call.attempt, call.state.as_str())).collect();
    assert_eq!(attempts, [(1, "pending"), (2, "pending"), (3, "delivered")]);
    assert_eq!(world.taps.calls("deliver.publish"), 1, "only the fan-out");
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_short_wait_hands_the_next_attempt_on() {
    let world =
        patient(World::with([webhook("w").topic("*.*").delays(&[Duration::from_millis(800)]).build()]));
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(200)]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(Duration::from_millis(100)).await;
    running.stop().await;
    assert_eq!((world.depth().await.delayed, world.calls("w").len()), (1, 1));
    let running = world.start();
    world.pass(seconds(2)).await;
    assert_eq!(world.arrived_at("w"), [0.0, 0.8]);
    running.stop().await;
    assert_eq!(world.balance(), [("delivered", 1)].into());
}

#[tokio::test]
async fn records_of_one_moment_share_a_message_by_the_real_clock_too() {
    let mut world = World::with((0..40).map(|at| webhook(&format!("w{at}")).topic("*.*").build()));
    world.settings.records.within = Duration::from_millis(5);
    let mut deps = world.deps();
    deps.clock = std::sync::Arc::new(RealClock::new());
    let mut dispatcher = postrider_dispatcher::Dispatcher::new(world.settings.clone(), deps).expect("good");
    world.accept(event("Entry.publish")).await;
    dispatcher.match_step().await.expect("matched");
    dispatcher.deliver_step().await.expect("delivered");
    let messages = world.servers.lock().messages.len();
    assert!((2..=10).contains(&messages), "41 records in {messages} messages");
}

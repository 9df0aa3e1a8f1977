//! More than a receiver takes: the others are served at once, the rest is put off, and nothing is attempted for nothing.

use std::time::Duration;

use postrider_dispatcher::settings::ShareSettings;
use postrider_domain::message::{Lane, Queue};
use postrider_ports::limits::Breaker;
use postrider_ports::queue::Depths;
use postrider_testkit::START;
use postrider_testkit::builders::{deliver, event, outgoing, webhook, webhook_id};

use crate::receiver::Answer;
use crate::world::{World, idle, seconds};

async fn deliveries(world: &World, webhook: &str, many: usize, lane: Lane) {
    numbered(world, webhook, 0..many, lane).await;
}

async fn numbered(world: &World, webhook: &str, numbers: std::ops::Range<usize>, lane: Lane) {
    for at in numbers {
        let mut message =
            deliver(&event("Entry.publish").id(&format!("{webhook}-{at}")).carried(), &[webhook]);
        message.lane = lane;
        world.publish(outgoing(message)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn beside_a_hanging_webhook_with_three_thousand_waiting_a_healthy_one_is_served_at_once() {
    let world = World::with([
        webhook("hangs").url("https://hangs.example/hangs").build(),
        webhook("healthy").url("https://healthy.example/healthy").build(),
    ]);
    world.receiver.script("/hangs", &[Answer::Hangs]);
    let running = world.start();
    deliveries(&world, "hangs", 3000, Lane::Fresh).await;
    idle().await;
    deliveries(&world, "healthy", 100, Lane::Fresh).await;
    idle().await;
    assert_eq!(world.arrived("healthy").len(), 100, "without any time passing");
    let depth = world.queue.depth(Queue::Deliver(Lane::Fresh)).await.expect("a depth");
    assert_eq!(depth.ready, 0, "nobody waits behind the one who hangs");
    assert!(depth.leased <= 1280, "half of the room at most: {}", depth.leased);
    let put_off = world.waiting(Lane::Late);
    assert_eq!(put_off.len() + usize::try_from(depth.leased).expect("small"), 3000);
    for (message, until) in put_off {
        assert_eq!(message.targets[0].attempt, 1, "no attempt is counted");
        let delay = until.expect("put off").since(START);
        assert!(delay >= seconds(1) && delay <= seconds(900), "{delay:?}");
    }
    for minute in 1..=20_usize {
        world.pass(seconds(60)).await;
        world
            .publish(outgoing(deliver(
                &event("Entry.publish").id(&format!("m{minute}")).carried(),
                &["healthy"],
            )))
            .await;
        idle().await;
        assert_eq!(world.arrived("healthy").len(), 100 + minute, "minute {minute}");
        let retries = world.calls("hangs").iter().filter(|call| call.next_at.is_some()).count();
        let deferrals = world.taps.calls("deliver.publish") - retries;
        // Each once when it comes, then log2(3000) + 3000 ÷ 900 = 14.9 a second.
        let allowed = 3000 + minute * 60 * 149 / 10;
        assert!(deferrals <= allowed, "minute {minute}: {deferrals} deferrals, allowed {allowed}");
    }
    assert!(world.receiver.most_open("/hangs") <= 64, "those that time out share 64 calls");
    running.shutdown.force();
    running.ended().await;
}

#[tokio::test(start_paused = true)]
async fn beside_more_dead_hosts_than_permits_a_healthy_webhook_of_the_same_space_is_served_at_once() {
    let hook = |id: &str| webhook(id).url(&format!("https://{id}.example/{id}")).build();
    let dead: Vec<String> = (0..100).map(|at| format!("dead{at}")).collect();
    let mut world = World::with(dead.iter().map(|id| hook(id)).chain([hook("healthy")]));
    // A tenth of the usual.
    world.settings.shares =
        ShareSettings { permits: 64, per_webhook: 48, per_space: 56, per_host: 48, slow: 6 };
    world.settings.room = 256;
    world.receiver.script("/dead", &[Answer::Hangs]);
    let running = world.start();
    deliveries(&world, "healthy", 1, Lane::Fresh).await;
    idle().await;
    for id in &dead {
        deliveries(&world, id, 5, Lane::Fresh).await;
    }
    idle().await;
    let depth = world.queue.depth(Queue::Deliver(Lane::Fresh)).await.expect("a depth");
    assert_eq!(depth.ready, 0, "nobody waits behind those that are dead");
    assert!(depth.leased <= 96, "three eighths of the room at most: {}", depth.leased);
    for minute in 1..=5_usize {
        numbered(&world, "healthy", 20 * minute..20 * minute + 20, Lane::Fresh).await;
        idle().await;
        assert_eq!(world.arrived("healthy").len(), 1 + 20 * minute, "minute {minute}: at once");
        world.pass(seconds(60)).await;
    }
    let calls: usize = dead.iter().map(|id| world.calls(id).len()).sum();
    let deferrals = world.taps.calls("deliver.publish") - calls;
    // One on arrival, then each wait is longer than the one before: 1, 5, 25, 125 s, 15 min.
    assert!(deferrals <= 500 * 5, "{deferrals} deferrals of 500 deliveries in five minutes");
    running.shutdown.force();
    running.ended().await;
}

#[tokio::test(start_paused = true)]
async fn calls_to_one_host_have_an_end_whoever_makes_them() {
    let hook = |id: &str, host: &str| webhook(id).url(&format!("https://{host}/{id}")).build();
    let mut world = World::with([hook("one", "shared.example"), hook("two", "SHARED.example:8443")]);
    world.settings.shares.per_host = 5;
    world.receiver.script("/", &[Answer::Hangs]);
    let running = world.start();
    deliveries(&world, "one", 20, Lane::Fresh).await;
    deliveries(&world, "two", 20, Lane::Fresh).await;
    idle().await;
    assert_eq!(
        world.arrived("one").len() + world.arrived("two").len(),
        5,
        "port and letter case make no other host"
    );
    running.shutdown.force();
    running.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_webhook_is_called_four_at_a_time_and_twice_as_many_each_round() {
    let world = World::with([webhook("w").build()]);
    world.receiver.script("/w", &[Answer::After(seconds(1), Box::new(Answer::Status(200)))]);
    let running = world.start();
    deliveries(&world, "w", 100, Lane::Fresh).await;
    let mut arrived = Vec::new();
    for _ in 0..5 {
        idle().await;
        arrived.push(world.arrived("w").len());
        world.pass(seconds(1)).await;
    }
    assert_eq!(arrived, [4, 12, 28, 60, 100]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waited_gets_half_of_the_room_bulk_a_quarter_of_the_permits_and_fresh_finds_space() {
    for (lane, most) in [(Lane::Late, 2560), (Lane::Bulk, 160)] {
        let hook = |id: &str| webhook(id).url(&format!("https://{id}.example/{id}")).build();
        let hanging: Vec<String> = (0..60).map(|at| format!("w{at}")).collect();
        let mut world = World::with(hanging.iter().map(|id| hook(id)).chain([hook("fresh")]));
        world.settings.room = 5120;
        let running = world.start();
        for id in &hanging {
            deliveries(&world, id, 1, lane).await;
        }
        // They are known to live: those that are not get less.
        idle().await;
        world.receiver.script("/w", &[Answer::Hangs]);
        for id in &hanging {
            numbered(&world, id, 1..61, lane).await;
        }
        idle().await;
        let leased = world.queue.depth(Queue::Deliver(lane)).await.expect("a depth").leased;
        assert!((most - 32..=most).contains(&leased), "{lane:?}: {leased} of {most}");
        deliveries(&world, "fresh", 50, Lane::Fresh).await;
        idle().await;
        assert_eq!(world.arrived("fresh").len(), 50);
        running.shutdown.force();
        running.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_after_ten_failures_in_a_row_and_one_probe_closes_it() {
    let hook = webhook("w").delays(&[seconds(600)]).build();
    let world = World::with([hook]);
    world.receiver.script("/w", &[Answer::Status(503)]);
    let running = world.start();
    for at in 0..10 {
        world
            .publish(outgoing(deliver(&event("Entry.publish").id(&format!("e{at}")).carried(), &["w"])))
            .await;
        idle().await;
    }
    let open = world.servers.lock().breakers.get(&webhook_id("w")).copied();
    assert_eq!(open, Some(Breaker::Open { until: START.plus(seconds(5)) }));
    deliveries(&world, "w", 20, Lane::Fresh).await;
    world.pass(seconds(4)).await;
    assert_eq!(world.arrived("w").len(), 10, "nothing goes out while it is open");
    world.pass(Duration::from_millis(1500)).await;
    assert_eq!(world.arrived("w").len(), 11, "one probe, which fails: open for twice as long");
    let open = world.servers.lock().breakers.get(&webhook_id("w")).copied();
    assert_eq!(open, Some(Breaker::Open { until: START.plus(seconds(15)) }));
    world.receiver.script("/w", &[Answer::Status(200)]);
    world.pass(seconds(60)).await;
    assert!(world.servers.lock().breakers.is_empty(), "the next probe closes it");
    assert_eq!(world.arrived("w").len(), 31 - 1, "the rest goes out, first attempts all");
    assert_eq!(world.calls("w").iter().filter(|call| call.attempt > 1).count(), 0);
    world.pass(seconds(700)).await;
    assert_eq!(world.calls("w").iter().filter(|call| call.attempt == 2).count(), 11);
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn another_workers_probe_is_waited_for() {
    let world = World::with([webhook("w").delays(&[seconds(600)]).build()]);
    world.receiver.script("/w", &[Answer::Status(503)]);
    let running = world.start();
    for at in 0..10 {
        world
            .publish(outgoing(deliver(&event("Entry.publish").id(&format!("e{at}")).carried(), &["w"])))
            .await;
        idle().await;
    }
    world.pass(seconds(4)).await;
    let until = START.plus(seconds(30));
    world.servers.lock().breakers.insert(webhook_id("w"), Breaker::HalfOpen { until });
    deliveries(&world, "w", 1, Lane::Fresh).await;
    world.pass(seconds(20)).await;
    assert_eq!(world.arrived("w").len(), 10);
    world.receiver.script("/w", &[Answer::Status(200)]);
    world.pass(seconds(20)).await;
    assert_eq!(world.arrived("w").len(), 11);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lone_deliverys_own_retries_never_open_its_breaker() {
    let mut world = World::with([webhook("w").topic("*.*").build()]);
    world.settings.refresh = seconds(100_000);
    world.settings.unverified_for = seconds(1_000_000);
    world.receiver.script("/w", &[Answer::Status(500)]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(Duration::from_hours(30)).await;
    assert_eq!(world.arrived("w").len(), 10);
    assert_eq!(world.taps.calls("breakers.open"), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_kept_and_everything_arrives() {
    for away in [0, usize::MAX] {
        let world = World::with([webhook("w").rate_limit(10, seconds(1)).build()]);
        world.taps.fail("rates.lease", away);
        let running = world.start();
        deliveries(&world, "w", 100, Lane::Fresh).await;
        world.pass(seconds(120)).await;
        let at = world.arrived_at("w");
        assert_eq!(at.len(), 100);
        for from in 0..100_i32 {
            let from = f64::from(from) / 2.0;
            let within = at.iter().filter(|at| (from..from + 1.0).contains(*at)).count();
            assert!(within <= 20, "{within} in the second from {from}: a full bucket and one second's worth");
        }
        assert!(at.last().expect("calls") >= &8.9, "90 at 10 per second after the first 10");
        running.stop().await;
        world.assert_empty().await;
    }
}

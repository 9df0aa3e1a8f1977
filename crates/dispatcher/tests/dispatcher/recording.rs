//! How records travel: in messages of bounded size, closed in time, each confirmed before anything is acknowledged.

use std::time::Duration;

use postrider_testkit::builders::{deliver, event, outgoing, webhook};

use crate::world::{World, idle};

/// How many records each message to the log holds.
fn sizes(world: &World) -> Vec<usize> {
    world.servers.lock().messages.iter().map(|(message, _)| message.records.len()).collect()
}

fn many_webhooks() -> World {
    let hook =
        |at| webhook(&format!("w{at}")).url(&format!("https://h{at}.example/w{at}")).topic("*.*").build();
    World::with((0..120).map(hook))
}

#[tokio::test(start_paused = true)]
async fn a_message_closes_after_five_milliseconds_and_only_then_anything_is_acknowledged() {
    let mut world = many_webhooks();
    world.settings.records.within = Duration::from_millis(5);
    let running = world.start();
    for at in 0..30 {
        world.publish(outgoing(deliver(&event("Entry.publish").carried(), &[&format!("w{at}")]))).await;
    }
    idle().await;
    assert_eq!((sizes(&world), world.depth().await.leased), (vec![], 30));
    world.pass(Duration::from_millis(5)).await;
    assert_eq!((sizes(&world), world.depth().await.leased), (vec![30], 0));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_closes_at_fifty_records_without_waiting() {
    let mut world = many_webhooks();
    world.settings.records.within = Duration::from_millis(5);
    let running = world.start();
    for at in 0..120 {
        world.publish(outgoing(deliver(&event("Entry.publish").carried(), &[&format!("w{at}")]))).await;
    }
    idle().await;
    assert_eq!(sizes(&world), [50, 50]);
    world.pass(Duration::from_millis(5)).await;
    assert_eq!(sizes(&world), [50, 50, 20]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_closes_at_a_quarter_of_a_mebibyte() {
    let mut world = many_webhooks();
    world.settings.records.within = Duration::from_millis(5);
    let running = world.start();
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(100 * 1024));
    for at in 0..5 {
        let event = event("Entry.publish").data(&large).carried();
        world.publish(outgoing(deliver(&event, &[&format!("w{at}")]))).await;
    }
    idle().await;
    world.pass(Duration::from_millis(5)).await;
    assert_eq!(sizes(&world), [2, 2, 1], "100 KiB each");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn evidence_is_complete_before_the_acknowledgement() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    let order = world.taps.order();
    let first = |name: &str| order.iter().position(|one| one == name).expect(name);
    let last = |name: &str| order.iter().rposition(|one| one == name).expect(name);
    assert!(first("deliver.publish") < first("records.publish"), "{order:?}");
    assert!(first("records.publish") < first("lease.ack"), "{order:?}");
    assert!(last("records.publish") < last("marks.mark"), "{order:?}");
    assert!(last("marks.mark") < last("lease.ack"), "{order:?}");
}

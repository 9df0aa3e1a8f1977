//! The process is killed at every single passage through a port, before and after its effect, and started again: nothing
//! is lost, the counts add up, and a call is repeated only where its evidence was not yet durable.

use std::collections::HashMap;
use std::time::Duration;

use postrider_testkit::builders::{event, webhook};

use crate::receiver::Answer;
use crate::world::{World, seconds};

/// A world with everything in it: fan-out, a retry, a short retry, a refusal, a window, a disabled webhook.
async fn scene() -> World {
    let mut world = World::with([
        webhook("good").topic("*.*").build(),
        webhook("retry").topic("*.*").delays(&[seconds(5), seconds(5)]).build(),
        webhook("short").topic("*.*").delays(&[Duration::from_millis(300)]).build(),
        webhook("never").topic("*.*").build(),
    ]);
    // Looks at the subscriptions are passages too; a few are enough.
    world.settings.refresh = seconds(20);
    world.receiver.script("/never", &[Answer::Status(400)]);
    world.receiver.script("/retry", &[Answer::Status(500), Answer::Status(200)]);
    world.receiver.script("/short", &[Answer::Status(500), Answer::Status(200)]);
    world.accept(event("Entry.publish").id("e1")).await;
    world.accept(event("Entry.auto_save").id("s1").version(1)).await;
    world.accept(event("Entry.auto_save").id("s2").version(2)).await;
    world
}

/// How often each (event, webhook, attempt) was called.
fn calls_made(world: &World) -> HashMap<(String, String, String), usize> {
    let mut made = HashMap::new();
    for one in world.receiver.arrived("") {
        let header = |name: &str| {
            let found = one.request.headers.iter().find(|(given, _)| given == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let key = (header("Postrider-Event"), one.request.url.clone(), header("Postrider-Attempt"));
        *made.entry(key).or_default() += 1;
    }
    made
}

/// Lets the process die at a passage, goes on with a new one, and checks the promise. `None` when there are not so many.
async fn dies_at(passage: usize, log_lags: bool) -> Option<String> {
    let world = scene().await;
    world.servers.lock().log_lags = log_lags;
    world.taps.block_at(passage);
    let doomed = world.start();
    let place = tokio::select! {
        place = world.taps.blocked() => Some(place),
        () = world.pass(seconds(60)) => None,
    };
    doomed.task.abort();
    assert!(doomed.task.await.is_err() || place.is_none());
    world.taps.unblock();
    let place = place?;

    let running = world.start();
    world.pass(seconds(120)).await;
    let label = format!("passage {passage}, {place}");
    let balance = world.balance();
    assert_eq!(balance.get("pending"), None, "{label}: {balance:?}");
    assert_eq!(balance.values().sum::<usize>(), 12, "{label}: 3 events for 4 webhooks: {balance:?}");
    assert_eq!(balance.get("superseded"), Some(&4), "{label}: {balance:?}");
    assert_eq!(balance.get("given_up"), Some(&2), "{label}: {balance:?}");
    running.stop().await;
    world.assert_empty().await;
    assert!(world.parked().await.is_empty(), "{label}");

    for (call, times) in calls_made(&world) {
        // What was being called, or called and not yet on record, when the process died.
        assert!(times <= 2, "{label}: {call:?} was made {times} times");
    }
    let repeated = calls_made(&world).values().filter(|times| **times > 1).count();
    let before_any_call = ["subscriptions", "windows.join"].iter().any(|name| place.contains(name));
    assert!(repeated == 0 || !before_any_call, "{label}: {repeated} repeated");
    Some(place)
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_every_passage_loses_nothing() {
    let mut places = Vec::new();
    let mut passage = 0;
    while let Some(place) = dies_at(passage, false).await {
        places.push(place);
        passage += 1;
    }
    assert!(passage > 60, "only {passage} passages");
    for name in
        ["sender.send", "records.publish", "deliver.publish", "lease.ack", "marks.mark", "windows.register"]
    {
        for when in ["before", "after"] {
            let place = format!("{when} {name}");
            assert!(places.contains(&place), "nobody was killed {place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_every_passage_loses_nothing_while_the_log_lags() {
    let mut passage = 0;
    while dies_at(passage, true).await.is_some() {
        passage += 1;
    }
    assert!(passage > 60, "only {passage} passages");
}

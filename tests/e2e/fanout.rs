//! One event for thousands of webhooks: each gets it once, those beyond the first hold nobody up even if they hang, and
//! neither messages nor rows nor memory grow with their number.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use postrider_testkit::servers;
use reqwest::Method;
use serde_json::json;

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

/// The most webhooks that a space may have by default (`limits.webhooks_per_space`), and what shows the same sooner.
const WEBHOOKS: usize = 10_000;
const FEWER: usize = 2000;
/// Webhooks that get an event through the lane `fresh` (`Settings::bulk_after` of the dispatcher).
const NEAR: usize = 256;
/// Calls of the lane `bulk` at once: a quarter of 640, in each of at most three dispatchers.
const BULK_AT_ONCE: usize = 3 * 160;
/// Events of others that are accepted right behind.
const OTHERS: usize = 50;
/// What a process may use at its peak: 150 MiB.
const LIMIT_KIB: u64 = 150 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_thousands_of_webhooks_reaches_each_once_and_its_far_end_holds_nobody_up() {
    let webhooks = if servers::full() { WEBHOOKS } else { FEWER };
    // Whoever stands beyond the near end, in the order of ids, hangs until the gate is opened.
    let target = Target::start(|hit| {
        let number = hit.path.strip_prefix("/huge/").and_then(|number| number.parse::<usize>().ok());
        if number.is_some_and(|number| number >= NEAR) { Answer::Gate } else { Answer::Status(200) }
    })
    .await;
    let system = System::start(&[]).await;
    let made = AtomicUsize::new(0);
    let make = |number: usize| {
        let mut definition = webhook(&target.url(&format!("/huge/{number:05}")), &["Entry.publish"]);
        // The longest there is, so that a call that waits at the gate is not made again.
        definition["timeout"] = json!(30);
        let path = format!("/spaces/default/webhook_definitions/w{number:05}");
        let (system, made) = (&system, &made);
        async move {
            system.call(Method::PUT, &path, Some(&definition)).await;
            made.fetch_add(1, Ordering::Relaxed);
        }
    };
    futures::stream::iter((0..webhooks).map(make)).buffer_unordered(16).collect::<Vec<()>>().await;
    assert_eq!(made.into_inner(), webhooks);
    system.webhook(&webhook(&target.url("/other"), &["Asset.publish"])).await;

    system.accept(&event("huge", "Entry.publish")).await;
    let others: Vec<_> = (0..OTHERS).map(|n| event(&format!("o{n}"), "Asset.publish")).collect();
    system.accept(&json!(others)).await;
    let served = u64::try_from(NEAR + OTHERS).expect("small");
    let balance = system.until("near end and others are served", |now| now.of("delivered") == served).await;
    println!("while the far end hangs: {balance:?}, {} calls", target.count());
    assert!(target.count() <= NEAR + OTHERS + BULK_AT_ONCE, "{} calls", target.count());
    assert_eq!(target.hits("/other").len(), OTHERS);

    target.open_gate();
    let all = u64::try_from(webhooks + OTHERS).expect("small");
    let balance = system.until("the far end is served", |now| now.of("delivered") == all).await;
    assert_eq!(balance.total(), all, "{balance:?}");
    let calls = target.by_event();
    assert_eq!(calls.len(), webhooks + OTHERS, "each webhook was called");
    assert!(calls.values().all(|calls| *calls == 1), "and once");

    let shown = system.call(Method::GET, "/spaces/default/events/huge", None).await;
    let listed = shown["decisions"].as_array().map(Vec::len);
    assert_eq!(listed, Some(NEAR + 1), "its row names the first 256, and the one that did not match");
    let peak = system.peak_memory_kib();
    println!("{webhooks} webhooks: VmHWM {} MiB", peak / 1024);
    assert!(peak <= LIMIT_KIB, "VmHWM is {peak} KiB");
}

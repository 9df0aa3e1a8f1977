//! SIGTERM: what was accepted is delivered once, now or after the next start; a second SIGTERM ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::timeout;

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_nothing_and_repeats_nothing() {
    let target = Target::willing().await;
    let mut system = System::start(&[]).await;
    for path in ["/a", "/b"] {
        system.webhook(&webhook(&target.url(path), &["*.*"])).await;
    }
    let stopping = AtomicBool::new(false);
    let publishing = async {
        let mut accepted = 0;
        for request in 0.. {
            let batch =
                (0..20).map(|n| event(&format!("t{request}-{n}"), "Entry.publish")).collect::<Vec<_>>();
            let path = "/spaces/default/environments/master/events";
            match system.request(Method::POST, path).json(&json!(batch)).send().await {
                Ok(answer) if answer.status() == StatusCode::ACCEPTED => accepted += batch.len(),
                Ok(_) | Err(_) => break,
            }
            if accepted == 400 {
                stopping.store(true, Ordering::SeqCst);
            }
        }
        accepted
    };
    let terminating = async {
        while !stopping.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        system.signal("TERM");
    };
    let (accepted, ()) = futures::future::join(publishing, terminating).await;
    let status = system.ended().await;
    assert!(status.success(), "a stop that was asked for is no failure: {status}");
    let before = target.count();
    system.run().await;
    let all = |balance: &crate::system::Balance| {
        balance.total() >= accepted as u64 * 2 && balance.of("pending") == 0
    };
    let balance = system.until("everything accepted is delivered", all).await;
    println!("{accepted} accepted, {before} calls before the stop, {} in all", target.count());
    assert_eq!(balance.of("delivered"), balance.total());
    let twice = target.by_event().into_values().filter(|calls| *calls > 1).count();
    assert_eq!(twice, 0, "{twice} deliveries were made twice");
    assert_eq!(target.count() as u64, balance.total(), "each delivery is one call");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait_for_the_grace_period() {
    let target = Target::start(|_| Answer::Gate).await;
    let mut system = System::start(&["shutdown.grace=100s"]).await;
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    system.accept(&event("one", "Entry.publish")).await;
    target.until(1).await;
    system.signal("TERM");
    // It drains while the call hangs: new requests are refused, the process lives.
    system.draining().await;
    system.signal("TERM");
    // Far less than the grace period and the call's own deadline.
    let status = timeout(Duration::from_secs(20), system.ended()).await.expect("it waited all the same");
    assert_eq!(status.code(), Some(75), "an exit code that says that work was cut off");
    target.open_gate();
    system.run().await;
    system.until("it is delivered after the next start", |balance| balance.of("delivered") == 1).await;
}

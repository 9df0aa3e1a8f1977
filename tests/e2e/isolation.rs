//! A receiver that hangs costs the others nothing.

use serde_json::json;

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_hangs_does_not_hold_up_a_healthy_one() {
    let target =
        Target::start(|hit| if hit.path == "/hangs" { Answer::Gate } else { Answer::Status(200) }).await;
    let system = System::start(&[]).await;
    system.webhook(&webhook(&target.url("/hangs"), &["Asset.publish"])).await;
    system.webhook(&webhook(&target.url("/healthy"), &["Entry.publish"])).await;
    let events = |topic: &str, from: usize| {
        json!((from..from + 500).map(|n| event(&format!("{topic}-{n}"), topic)).collect::<Vec<_>>())
    };
    for from in (0..3000).step_by(500) {
        system.accept(&events("Asset.publish", from)).await;
    }
    system.accept(&events("Entry.publish", 0)).await;
    // The gate is still closed: were the healthy one held up, these would never come.
    let healthy = |balance: &crate::system::Balance| balance.of("delivered") == 500;
    let balance = system.until("the healthy one is served", healthy).await;
    assert!(balance.of("pending") > 0 || balance.total() < 3500, "the other still hangs");
    assert_eq!(target.hits("/healthy").len(), 500);
    let balance = system.until("all are on record", |balance| balance.total() == 3500).await;
    assert_eq!(balance.of("pending") + balance.of("delivered"), 3500, "nothing was given up: {balance:?}");
}

//! Messages that no process survives: parked after a bounded number of deaths, seen in the balance, put back or dropped.

use reqwest::Method;
use serde_json::Value;

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

/// A message is parked when the process died so often while it was held (DESIGN §4.2).
const LIMIT: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_the_process_every_time_is_parked_then_put_back_or_dropped() {
    let target =
        Target::start(|hit| if hit.path == "/poison" { Answer::Gate } else { Answer::Status(200) }).await;
    let mut system = System::start(&[]).await;
    for (path, topic) in [("/poison", "Entry.*"), ("/well", "Asset.*")] {
        system.webhook(&webhook(&target.url(path), &[topic])).await;
    }
    for id in ["e1", "e2"] {
        system.accept(&event(id, "Entry.publish")).await;
    }
    // What came before it is settled in the queue, so that nothing but the two deliveries is in hand.
    system.happen(&[event("w1", "Asset.publish")], 1).await;
    for deaths in 1..=LIMIT {
        // The receiver has both calls and answers neither.
        target.until(2 * deaths + 1).await;
        system.kill().await;
        system.run().await;
    }
    let balance = system.until("both are parked", |balance| balance.of("parked") == 2).await;
    assert_eq!((balance.of("delivered"), balance.total()), (1, 3), "difference 0: {balance:?}");
    system.happen(&[event("w2", "Asset.publish")], 2).await;
    assert_eq!(target.count(), 2 * LIMIT + 2, "what is parked is not called");

    let list = system.call(Method::GET, "/parked", None).await;
    let ids: Vec<&str> = list["items"].as_array().expect("items").iter().map(id).collect();
    assert_eq!(ids.len(), 2, "{list}");
    let mut paths = Vec::new();
    for id in ids {
        let path = format!("/parked/{id}");
        let shown = system.call(Method::GET, &path, None).await;
        assert!(shown["reason"].as_str().expect("why").contains("never came to an end"), "{shown}");
        assert_eq!((&shown["queue"], &shown["deliveries"]), (&"deliver.fresh".into(), &LIMIT.into()));
        let holds = shown["holds"].as_array().expect("deliveries");
        assert_eq!((holds.len(), &holds[0]["attempts"]), (1, &0.into()), "{shown}");
        paths.push((holds[0]["event"].as_str().expect("an event").to_owned(), path));
    }
    paths.sort();

    target.open_gate();
    system.call(Method::POST, &format!("{}/redrive", paths[0].1), None).await;
    system.until("the first is delivered", |balance| balance.of("delivered") == 3).await;
    system.call(Method::DELETE, &paths[1].1, None).await;
    let balance = system.until("the second has ended", |balance| balance.of("cancelled") == 1).await;
    assert_eq!((balance.of("parked"), balance.of("pending"), balance.total()), (0, 0, 4), "{balance:?}");
    let dropped = system.call(Method::GET, "/spaces/default/deliveries?state=cancelled", None).await;
    let dropped = &dropped["items"][0];
    assert_eq!(dropped["event"]["id"], "e2", "{dropped}");
    let reason = dropped["reason"].as_str().expect("why");
    assert!(reason.contains("a person dropped it") && reason.contains("never came to an end"), "{reason}");
    assert_eq!(system.call(Method::GET, "/parked", None).await["items"], serde_json::json!([]));
    assert_eq!(target.count(), 2 * LIMIT + 3, "put back it is called once");
}

fn id(message: &Value) -> &str {
    message["sys"]["id"].as_str().expect("an id")
}

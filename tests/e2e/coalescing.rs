//! The events of one window become one call with the newest state.

use serde_json::{Value, json};

use crate::system::{System, event, webhook};
use crate::target::Target;

fn edit(id: usize, document: &str) -> Value {
    let mut edit = event(&format!("{document}-{id:03}"), "Entry.auto_save");
    edit["resource"] = json!({ "id": document, "version": id });
    edit
}

#[tokio::test]
async fn a_burst_of_edits_is_one_call_with_the_last_state() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/"), &["Entry.auto_save"]);
    hook["coalesce"] = json!({ "window": 5, "key": "resource" });
    system.webhook(&hook).await;
    let burst = (1..=40).map(|n| edit(n, "one")).chain((1..=40).map(|n| edit(n, "two"))).collect::<Vec<_>>();
    system.accept(&json!(burst)).await;
    let balance =
        system.until("all are settled", |balance| balance.total() == 80 && balance.of("pending") == 0).await;
    assert_eq!((balance.of("delivered"), balance.of("superseded")), (2, 78), "two documents share no window");
    let versions = target
        .hits("/")
        .iter()
        .map(|hit| serde_json::from_slice::<Value>(&hit.body).expect("JSON")["resource"]["version"].clone())
        .collect::<Vec<_>>();
    assert_eq!(versions, [json!(40), json!(40)]);
}

#[tokio::test]
async fn a_lone_edit_is_one_call_and_survives_a_restart_inside_its_window() {
    let (mut system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/"), &["Entry.auto_save"]);
    hook["coalesce"] = json!({ "window": 10, "key": "resource" });
    system.webhook(&hook).await;
    system.accept(&edit(1, "one")).await;
    system.until("it waits", |balance| balance.of("pending") == 1).await;
    system.kill().await;
    system.run().await;
    system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    assert_eq!(target.count(), 1);
}

//! A delivery is on record from before its first attempt to its end, and can be found by where it stands and by what is next.

use reqwest::Method;
use serde_json::json;

use crate::resend::{patient, until};
use crate::system::{System, event};
use crate::target::{Answer, Target};

#[tokio::test]
async fn a_delivery_is_on_record_before_its_first_attempt_and_told_at_each_step() {
    let target = Target::start(|hit| match hit.before {
        0 => Answer::Gate,
        _ => Answer::Status(500),
    })
    .await;
    let system = System::start(&[]).await;
    let mut hook = patient(&target.url("/"));
    hook["timeout"] = json!(30);
    let webhook = system.webhook(&hook).await;
    system.accept(&event("one", "Entry.save")).await;
    let of = |more: &str| format!("/spaces/default/deliveries?webhook={webhook}{more}");
    let pending = until(&system, &of("&status=pending"), "the delivery", |_| true).await;
    assert_eq!((&pending["attempt"], &pending["event"]["id"]), (&json!(0), &json!("one")), "{pending}");
    target.until(1).await;
    target.open_gate();
    let success = until(&system, &of("&status=success"), "the success", |_| true).await;
    assert_eq!((&success["sys"]["id"], &success["attempt"]), (&pending["sys"]["id"], &json!(1)));

    system.accept(&event("two", "Entry.save")).await;
    let again = until(&system, &of("&status=rescheduled"), "the failure", |_| true).await;
    let next = again["nextAt"].as_str().expect("the next attempt");
    let around = of(&format!("&nextAttemptFrom={next}"));
    assert_eq!(system.call(Method::GET, &around, None).await["total"], 1);
    let before = of(&format!("&nextAttemptTo={next}"));
    assert_eq!(system.call(Method::GET, &before, None).await["total"], 0);

    let mut short = hook.clone();
    short["retryPolicy"] = json!("none");
    system.call(Method::PUT, &format!("/spaces/default/webhook_definitions/{webhook}"), Some(&short)).await;
    system.accept(&event("three", "Entry.save")).await;
    let failed = until(&system, &of("&status=failed"), "the end", |_| true).await;
    assert_eq!((&failed["event"]["id"], &failed["state"]), (&json!("three"), &json!("given_up")));
}

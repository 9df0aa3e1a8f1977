//! What fails is tried again as its policy says; what cannot heal is not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

fn patient(url: &str, schedule: &[f64]) -> Value {
    let mut hook = webhook(url, &["*.*"]);
    hook["retryPolicy"] = json!({ "schedule": schedule });
    hook
}

#[tokio::test]
async fn a_receiver_that_fails_twice_gets_a_third_call() {
    let target = Target::start(|hit| Answer::Status(if hit.before < 2 { 500 } else { 200 })).await;
    let system = System::start(&[]).await;
    system.webhook(&patient(&target.url("/"), &[0.1, 1.1])).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    let hits = target.hits("/");
    assert_eq!(hits.len(), 3);
    let attempts =
        hits.iter().map(|hit| hit.headers["postrider-attempt"].to_str().expect("text")).collect::<Vec<_>>();
    assert_eq!(attempts, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_receiver_that_refuses_for_ever_is_given_up() {
    let target = Target::start(|_| Answer::Status(503)).await;
    let system = System::start(&[]).await;
    system.webhook(&patient(&target.url("/"), &[0.1, 0.1])).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is given up", |balance| balance.of("given_up") == 1).await;
    assert_eq!(target.count(), 3);
}

#[tokio::test]
async fn a_refusal_that_time_cannot_heal_is_final_at_once() {
    let target = Target::start(|hit| match hit.path.as_str() {
        "/missing" => Answer::Status(404),
        _ => Answer::With(302, "location", "/elsewhere".into()),
    })
    .await;
    let system = System::start(&[]).await;
    system.webhook(&patient(&target.url("/missing"), &[0.1])).await;
    system.webhook(&patient(&target.url("/moved"), &[0.1])).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("both are given up", |balance| balance.of("given_up") == 2).await;
    assert_eq!(target.count(), 2, "no retry, and no redirect followed");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_called_again() {
    let target = Target::start(|_| Answer::Status(410)).await;
    let system = System::start(&[]).await;
    let id = system.webhook(&patient(&target.url("/"), &[0.1])).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is given up", |balance| balance.of("given_up") == 1).await;
    let hook = system.call(Method::GET, &format!("/spaces/default/webhook_definitions/{id}"), None).await;
    assert_eq!(hook["active"], false, "{hook}");
    system.accept(&event("two", "Entry.publish")).await;
    let explained = loop {
        // The event may not be on record yet; each try is a round trip.
        let path = "/spaces/default/events/two/explain";
        let answer = system.request(Method::GET, path).send().await.expect("an answer");
        if answer.status().is_success() {
            break answer.text().await.expect("a body");
        }
    };
    assert!(explained.contains("410"), "{explained}");
    assert_eq!(target.count(), 1);
}

#[tokio::test]
async fn retry_after_puts_the_next_attempt_later() {
    let target = Target::start(|hit| match hit.before {
        0 => Answer::With(429, "retry-after", "2".into()),
        _ => Answer::Status(204),
    })
    .await;
    let system = System::start(&[]).await;
    let id = system.webhook(&patient(&target.url("/"), &[0.1])).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    let calls = system.call(Method::GET, &format!("/spaces/default/calls?webhook={id}"), None).await;
    let start = |at: usize| {
        let text = calls["items"][at]["requestAt"].as_str().expect("an instant").to_owned();
        postrider_domain::timestamp::Timestamp::parse(&text).expect("RFC 3339")
    };
    let between = start(0).since(start(1));
    assert!(between.as_millis() >= 2000, "the second call came after {between:?}");
}

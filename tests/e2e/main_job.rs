//! The main job: an event goes in, every webhook that cares gets a correct signed call, every call is on record.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::system::{System, event, webhook};
use crate::target::Target;

#[tokio::test]
async fn an_event_reaches_the_webhooks_that_care_and_no_other() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/entries"), &["Entry.*"])).await;
    system.webhook(&webhook(&target.url("/published"), &["*.publish"])).await;
    system.webhook(&webhook(&target.url("/assets"), &["Asset.delete"])).await;
    system.accept(&event("one", "Entry.publish")).await;
    target.until(2).await;
    let balance = system.until("two delivered", |balance| balance.of("delivered") == 2).await;
    assert_eq!(balance.total(), 2);
    assert_eq!((target.hits("/entries").len(), target.hits("/published").len()), (1, 1));

    let explained = system.call(Method::GET, "/spaces/default/events/one/explain", None).await;
    let text = explained.to_string();
    assert!(text.contains("topics[0] Entry.*") && text.contains("topics[0] *.publish"), "{text}");
    assert!(text.contains("no topic or trigger takes Entry.publish"), "{text}");
}

#[tokio::test]
async fn the_data_arrives_byte_for_byte() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let data = r#"{"z":1.50,"a":"\u00e9 é","deep":[ {"x" : null} ],"big":123456789012345678901234567890}"#;
    let body =
        format!(r#"{{"id":"raw","type":"Entry","action":"save","resource":{{"id":"1"}},"data":{data}}}"#);
    let sent = system
        .request(Method::POST, "/spaces/default/environments/master/events")
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(sent.status(), StatusCode::ACCEPTED);
    target.until(1).await;
    let received = String::from_utf8(target.hits("/")[0].body.to_vec()).expect("UTF-8");
    assert!(received.contains(&format!(r#""data":{data}"#)), "{received}");
}

#[tokio::test]
async fn five_hundred_events_in_one_array_are_five_hundred_deliveries() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let batch = (0..500).map(|n| event(&format!("e{n}"), "Entry.publish")).collect::<Vec<_>>();
    system.accept(&json!(batch)).await;
    target.until(500).await;
    system.until("all delivered", |balance| balance.of("delivered") == 500).await;
    assert!(target.by_event().values().all(|calls| *calls == 1), "something was called twice");
}

#[tokio::test]
async fn the_same_id_at_the_same_instant_is_one_event() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let same = event("same", "Entry.publish");
    let answers = futures::future::join_all((0..20).map(|_| system.publish(&same))).await;
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::ACCEPTED), "{answers:?}");
    let (status, body) = system.publish(&event("same", "Entry.delete")).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let balance = system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    assert_eq!(balance.total(), 1, "one event for one webhook is one delivery");
}

#[tokio::test]
async fn a_large_event_travels_by_reference_and_arrives_whole() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let text = "å".repeat(100_000);
    let mut large = event("large", "Entry.publish");
    large["data"] = json!({ "text": text });
    system.accept(&large).await;
    target.until(1).await;
    let received: serde_json::Value = serde_json::from_slice(&target.hits("/")[0].body).expect("JSON");
    assert_eq!(received["data"]["text"].as_str().map(str::len), Some(text.len()));
}

#[tokio::test]
async fn every_call_is_on_record_and_can_be_sent_again() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let id = system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    system.accept(&event("one", "Entry.publish")).await;
    target.until(1).await;
    system.until("it is on record", |balance| balance.of("delivered") == 1).await;
    let calls = system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/calls"), None).await;
    let call = calls["items"][0]["sys"]["id"].as_str().expect("a call").to_owned();
    assert_eq!(calls["items"][0]["statusCode"], 200);
    let details =
        system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/calls/{call}"), None).await;
    assert!(details["request"]["body"].as_str().expect("a body").contains("Entry"), "{details}");

    system.call(Method::POST, &format!("/spaces/default/calls/{call}/resend"), None).await;
    target.until(2).await;
    let hits = target.hits("/");
    assert_eq!(
        hits[0].headers["postrider-delivery"], hits[1].headers["postrider-delivery"],
        "the id is constant"
    );
    assert_eq!(system.balance().await.of("delivered"), 1, "a resend is not a second generation 0");
}

//! A CMS sends its own webhook to a source, without a token.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{System, webhook};
use crate::target::Target;

/// `seeds/cometcms-webhooks.txt`, "Payload format", white space as printed.
const PAYLOAD: &str = r#"{
  "event": "content.published",
  "occurred_at": "2025-05-03T12:00:00Z",
  "data": {
    "type": "posts",
    "id": "7K4p9xQ2mR",
    "slug": "my-first-post"
  }
}"#;
const SECRET: &str = "what-the-cms-signs-with";
/// openssl dgst -sha256 -hmac what-the-cms-signs-with
const SIGNATURE: &str = "sha256=0b2015bba18043dfef8447a18e77f24802ee4818d6ed81e4603fe4478b13aa70";
const SOURCE: &str = "/spaces/default/environments/master/sources/blog";

async fn send(system: &System, signature: &str) -> (StatusCode, Value) {
    let request = system.bare(Method::POST, SOURCE).header("content-type", "application/json");
    let request = request.header("X-CometCMS-Signature", signature).body(PAYLOAD);
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn with_source() -> System {
    let system = System::start(&[]).await;
    let source = json!({ "name": "Blog", "dialect": "cometcms", "secret": SECRET });
    system.call(Method::PUT, "/spaces/default/sources/blog", Some(&source)).await;
    system
}

#[tokio::test]
async fn a_cometcms_webhook_comes_in_once_and_leaves_byte_for_byte() {
    let (system, target) = (with_source().await, Target::willing().await);
    let mut comet = webhook(&target.url("/comet"), &["content.published"]);
    comet["dialect"] = json!("cometcms");
    system.webhook(&comet).await;
    system.webhook(&webhook(&target.url("/native"), &["Entry.publish"])).await;

    let (status, first) = send(&system, SIGNATURE).await;
    assert_eq!(
        (status, &first["events"][0]["status"]),
        (StatusCode::ACCEPTED, &json!("accepted")),
        "{first}"
    );
    target.until(2).await;
    assert_eq!(target.hits("/comet")[0].body, PAYLOAD.as_bytes());
    let native: Value = serde_json::from_slice(&target.hits("/native")[0].body).expect("JSON");
    assert_eq!((&native["id"], &native["action"]), (&first["events"][0]["id"], &json!("publish")));
    assert_eq!(native["resource"]["slug"], "my-first-post");

    let (status, again) = send(&system, SIGNATURE).await;
    assert_eq!(
        (status, &again["events"][0]["status"]),
        (StatusCode::ACCEPTED, &json!("duplicate")),
        "{again}"
    );
    let balance = system.until("both are delivered", |balance| balance.of("delivered") == 2).await;
    assert_eq!((balance.total(), target.count()), (2, 2), "the retry of the CMS is no second event");
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_nothing_is_on_record() {
    let (system, target) = (with_source().await, Target::willing().await);
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let (status, refused) = send(&system, &SIGNATURE.replace("sha256=", "sha256=0")).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthenticated")));
    // What came after it is through: had it been taken in, it would be as well.
    let (status, _) = send(&system, SIGNATURE).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let balance = system.until("the good one is delivered", |balance| balance.of("delivered") == 1).await;
    assert_eq!((balance.total(), target.count()), (1, 1));

    system.call(Method::DELETE, "/spaces/default/sources/blog", None).await;
    let elsewhere = system.bare(Method::POST, &SOURCE.replace("blog", "other")).body(PAYLOAD);
    assert_eq!(elsewhere.send().await.expect("an answer").status(), StatusCode::NOT_FOUND);
}

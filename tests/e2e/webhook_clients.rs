//! The official libraries of Standard Webhooks and CloudEvents from npm, unchanged: they take what is delivered, and what they
//! send is taken.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use postrider_tests::npm;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::program::says;
use crate::system::{System, event, webhook};
use crate::target::{Hit, Target};

/// The libraries' versions are pinned there, and the driver is there.
const CLIENT: &str = "tests/clients/webhooks";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const EVENTS: &str = "/spaces/default/environments/master/events";
const SOURCE: &str = "/spaces/default/environments/master/sources/relay";

/// The folder with the libraries and the driver; filled once per run, from the lock file alone.
fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("npm-webhooks-", env!("CARGO_CRATE_NAME")));
        npm::install(CLIENT, &["driver.js"], folder)
    })
}

/// What the libraries answer to these.
async fn answers(asked: &[Value]) -> Vec<Value> {
    let lines: Vec<String> = asked.iter().map(Value::to_string).collect();
    let lines = lines.join("\n") + "\n";
    let mut driver = Command::new("node");
    let said = says(driver.arg("driver.js").current_dir(installed()), lines.as_bytes()).await;
    let answers: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), asked.len(), "{said}");
    answers
}

/// Headers and body of a call, beside what is asked of it.
fn asked(what: &str, hit: &Hit) -> Value {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("text").to_owned();
    let headers: serde_json::Map<String, Value> =
        hit.headers.iter().map(|(name, value)| (name.to_string(), json!(text(value)))).collect();
    json!({ "do": what, "headers": headers, "body": std::str::from_utf8(&hit.body).expect("UTF-8") })
}

fn with(mut asked: Value, name: &str, value: &str) -> Value {
    asked[name] = json!(value);
    asked
}

/// Makes the webhook `site`.
async fn site(system: &System, target: &Target, dialect: &str) {
    let mut site = webhook(&target.url("/"), &["Entry.publish"]);
    site["dialect"] = json!(dialect);
    site["signing"] = json!({ "secret": SECRET });
    system.call(Method::PUT, "/spaces/default/webhook_definitions/site", Some(&site)).await;
}

/// Publishes an event and hands out the call that it makes.
async fn delivered(system: &System, target: &Target, id: &str) -> Hit {
    let mut post = event(id, "Entry.publish");
    post["data"] = json!({ "title": "Grüße 😀", "n": 1.5 });
    post["occurredAt"] = json!("2025-05-03T12:00:00.250Z");
    let seen = target.count();
    system.accept(&post).await;
    target.until(seen + 1).await;
    target.hits("/").pop().expect("a call")
}

#[tokio::test]
async fn the_library_of_standard_webhooks_verifies_what_is_delivered_and_nothing_else() {
    for dialect in ["standard-webhooks", "native", "cloudevents"] {
        let (system, target) = (System::start(&[]).await, Target::willing().await);
        site(&system, &target, dialect).await;
        let hit = delivered(&system, &target, "one").await;
        let good = with(asked("verify", &hit), "secret", SECRET);
        let changed = good["body"].as_str().expect("a text").replace("1.5", "1.6");
        let all = [good.clone(), with(good.clone(), "body", &changed), with(good, "secret", OTHER)];
        assert_eq!(answers(&all).await, [json!(true), json!(false), json!(false)], "{dialect}");
    }
}

#[tokio::test]
async fn both_secrets_of_a_rotation_verify_until_the_overlap_is_over() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    site(&system, &target, "standard-webhooks").await;
    let rotate = "/spaces/default/webhook_definitions/site/signing_secret";
    let rotated = system.call(Method::POST, rotate, Some(&json!({ "overlap": "1h" }))).await;
    let new = rotated["signing"]["secret"].as_str().expect("the new one, shown this once").to_owned();
    let during = asked("verify", &delivered(&system, &target, "during").await);
    let verdicts = [SECRET, &new, OTHER].map(|secret| with(during.clone(), "secret", secret));
    assert_eq!(answers(&verdicts).await, [json!(true), json!(true), json!(false)]);

    // An overlap of nothing is over at once, also for the secret that had an hour.
    let last = json!({ "secret": OTHER, "overlap": 0 });
    system.call(Method::POST, rotate, Some(&last)).await;
    let after = asked("verify", &delivered(&system, &target, "after").await);
    let verdicts = [SECRET, &new, OTHER].map(|secret| with(after.clone(), "secret", secret));
    assert_eq!(answers(&verdicts).await, [json!(false), json!(false), json!(true)]);
}

/// Signs a message with the library and sends it to the source; how it was taken.
async fn send(system: &System, secret: &str, body: &str) -> (StatusCode, Value) {
    let wanted = json!({ "do": "sign", "secret": secret, "id": "msg_1", "body": body });
    let signed = answers(&[wanted]).await.remove(0);
    let request = system.bare(Method::POST, SOURCE).header("content-type", "application/json");
    let request = signed
        .as_object()
        .expect("headers")
        .iter()
        .fold(request, |request, (name, value)| request.header(name, value.as_str().expect("a text")));
    let answer = request.body(body.to_owned()).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn the_library_of_standard_webhooks_signs_into_a_source() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let source = json!({ "name": "Shop", "dialect": "standard-webhooks", "secret": SECRET });
    system.call(Method::PUT, "/spaces/default/sources/relay", Some(&source)).await;
    system.webhook(&webhook(&target.url("/"), &["invoice.paid"])).await;
    let body =
        r#"{ "type": "invoice.paid", "timestamp": "2022-11-03T20:26:10.344Z", "data": { "id": "in_1" } }"#;
    let (status, refused) = send(&system, OTHER, body).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthenticated")));
    let (status, taken) = send(&system, SECRET, body).await;
    assert_eq!(
        (status, &taken["events"][0]["status"]),
        (StatusCode::ACCEPTED, &json!("accepted")),
        "{taken}"
    );
    // A retry of the sender is signed anew, under the same id.
    let (_, again) = send(&system, SECRET, body).await;
    assert_eq!(again["events"][0]["status"], "duplicate", "{again}");
    system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    let told = target.hits("/")[0].json();
    assert_eq!(
        (&told["type"], &told["action"], &told["resource"]["id"]),
        (&json!("invoice"), &json!("paid"), &json!("in_1"))
    );
    assert_eq!(told["occurredAt"], "2022-11-03T20:26:10.344Z");
}

#[tokio::test]
async fn one_postrider_tells_another_by_standard_webhooks() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.call(Method::PUT, "/spaces/copy", Some(&json!({}))).await;
    let source = json!({ "name": "The other", "dialect": "standard-webhooks", "secret": SECRET });
    system.call(Method::PUT, "/spaces/copy/sources/relay", Some(&source)).await;
    let there = json!({ "name": "there", "url": target.url("/"), "topics": ["*.*"] });
    system.call(Method::POST, "/spaces/copy/webhook_definitions", Some(&there)).await;
    let door = SOURCE.replace("default", "copy");
    let mut relay = webhook(&format!("{}{door}", system.composition().base(&Method::POST, &door)), &["*.*"]);
    relay["dialect"] = json!("standard-webhooks");
    relay["signing"] = json!({ "secret": SECRET });
    system.webhook(&relay).await;

    let mut post = event("one", "Entry.publish");
    post["resource"]["title"] = json!("Grüße");
    post["actor"] = json!({ "id": "u1" });
    system.accept(&post).await;
    target.until(1).await;
    let told = target.hits("/")[0].json();
    assert_eq!(
        (&told["space"], &told["type"], &told["action"]),
        (&json!("copy"), &json!("Entry"), &json!("publish"))
    );
    assert_eq!(
        (&told["resource"], &told["actor"], &told["data"]),
        (&post["resource"], &post["actor"], &post["data"])
    );
}

#[tokio::test]
async fn the_library_of_cloudevents_reads_what_is_delivered_in_both_modes() {
    for mode in ["structured", "binary"] {
        let (system, target) = (System::start(&[]).await, Target::willing().await);
        let mut hook = webhook(&target.url("/"), &["Entry.publish"]);
        hook["dialect"] = json!("cloudevents");
        hook["options"] = json!({ "mode": mode, "typePrefix": "com.example" });
        system.webhook(&hook).await;
        let hit = delivered(&system, &target, "one").await;
        assert_eq!(hit.headers.contains_key("ce-id"), mode == "binary");
        let read = answers(&[asked("parse", &hit)]).await.remove(0);
        let expected = json!({
            "specversion": "1.0", "id": "one", "source": "/spaces/default/environments/master",
            "type": "com.example.Entry.publish", "subject": "r-one", "time": "2025-05-03T12:00:00.250Z",
            "datacontenttype": "application/json", "data": { "title": "Grüße 😀", "n": 1.5 },
        });
        assert_eq!(read, expected, "{mode}");
    }
}

#[tokio::test]
async fn the_library_of_cloudevents_sends_events_in_both_modes() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/"), &["Entry.publish"])).await;
    let url = format!("{}{EVENTS}", system.composition().base(&Method::POST, EVENTS));
    let emit = |mode: &str| {
        json!({
            "do": "emit", "url": url, "token": system.token(), "mode": mode,
            "event": {
                "id": mode, "source": "/my/cms", "type": "com.example.Entry.publish", "subject": mode,
                "time": "2025-05-03T12:00:00.250Z", "resourcetitle": "Hello", "data": { "title": "Grüße 😀" },
            },
        })
    };
    let taken = answers(&[emit("STRUCTURED"), emit("BINARY"), emit("BINARY")]).await;
    let statuses: Vec<&Value> = taken.iter().map(|answer| &answer["events"][0]["status"]).collect();
    assert_eq!(statuses, ["accepted", "accepted", "duplicate"], "{taken:?}");
    system.until("both are delivered", |balance| balance.of("delivered") == 2).await;
    let mut told: Vec<Value> = target.hits("/").iter().map(Hit::json).collect();
    told.sort_by_key(|event| event["resource"]["id"].to_string());
    for (event, mode) in told.iter().zip(["BINARY", "STRUCTURED"]) {
        assert_eq!(event["resource"], json!({ "id": mode, "title": "Hello" }));
        assert_eq!(
            (&event["occurredAt"], &event["data"]),
            (&json!("2025-05-03T12:00:00.250Z"), &json!({ "title": "Grüße 😀" }))
        );
    }
}

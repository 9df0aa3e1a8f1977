//! Keys come and go while everything runs: no delivery fails or is unsigned, and a lost key costs no more than it must.

use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use futures::poll;
use postrider_testkit::receiver::{ReceivedRequest, verify_standard_webhooks};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::process::PATIENCE;
use crate::system::{System, event, webhook};
use crate::target::{Hit, Target};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HEADER: &str = "the-value-of-a-secret-header";
/// user:the-password
const BASIC: &str = "Basic dXNlcjp0aGUtcGFzc3dvcmQ=";
const CMS: &str = "what-the-cms-signs-with";

/// A webhook with every kind of secret.
fn sealed(url: &str) -> Value {
    let mut sealed = webhook(url, &["*.*"]);
    sealed["dialect"] = json!("standard-webhooks");
    sealed["signing"] = json!({ "secret": SECRET });
    sealed["headers"] = json!([{ "key": "X-Key", "value": HEADER, "secret": true }]);
    sealed["httpBasicUsername"] = json!("user");
    sealed["httpBasicPassword"] = json!("the-password");
    sealed["retryPolicy"] = json!({ "schedule": vec!["1s"; 60] });
    sealed
}

/// A call with all secrets as they were given.
fn assert_genuine(hit: &Hit) {
    let text = |name: &str| hit.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!((text("x-key"), text("authorization")), (Some(HEADER), Some(BASIC)), "{:?}", hit.headers);
    let headers = hit
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().expect("a text").to_owned()));
    let request = ReceivedRequest {
        method: "POST".to_owned(),
        path: hit.path.clone(),
        headers: headers.collect(),
        body: hit.body.clone(),
        at: Instant::now(),
    };
    verify_standard_webhooks(&request, SECRET).expect("its signature is ours");
}

/// What a command of the operator says, and its exit code.
async fn keys(system: &System, arguments: &[&str]) -> (i32, Value, String) {
    let mut command = tokio::process::Command::from(system.composition().operator());
    command.arg("--json").arg("keys").args(arguments);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("it ended by itself"), said, errors)
}

/// The same, which must succeed.
async fn done(system: &System, arguments: &[&str]) -> Value {
    let (code, said, errors) = keys(system, arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {said} {errors}");
    said
}

/// How many secrets of webhooks and sources are sealed with each key.
async fn sealings(system: &System) -> Vec<(String, u64, u64)> {
    let listed = done(system, &["list"]).await;
    let count = |key: &Value, kind: &str| key["sealed"][kind].as_u64().expect("a count");
    let keys = listed["keys"].as_array().expect("keys").iter();
    keys.map(|key| {
        (key["id"].as_str().expect("an id").to_owned(), count(key, "webhooks"), count(key, "sources"))
    })
    .collect()
}

fn sealing(id: &str, webhooks: u64, sources: u64) -> (String, u64, u64) {
    (id.to_owned(), webhooks, sources)
}

/// A source, and a secret of the space itself, which no webhook here signs with.
async fn put_others(system: &System) {
    let source = json!({ "name": "Blog", "dialect": "cometcms", "secret": CMS });
    system.call(Method::PUT, "/spaces/default/sources/blog", Some(&source)).await;
    let signing = "/spaces/default/webhook_settings/signing_secret";
    system.call(Method::PUT, signing, Some(&json!({ "value": "0123456789abcdef".repeat(4) }))).await;
}

/// The webhook of a CMS, signed with its source's secret; how it was taken.
async fn from_cms(system: &System) -> StatusCode {
    let body = r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts","id":"7K4p9xQ2mR"}}"#;
    let request = system.bare(Method::POST, "/spaces/default/environments/master/sources/blog").body(body);
    // openssl dgst -sha256 -hmac what-the-cms-signs-with
    let signature = "sha256=6dbf6a0ee440a622a57b01ef4a8eb5941518a95ea42945f1729e815736b9eb8f";
    request.header("X-CometCMS-Signature", signature).send().await.expect("an answer").status()
}

#[tokio::test]
async fn a_key_is_rotated_while_deliveries_run_and_none_fails_or_is_unsigned() {
    const WEBHOOKS: usize = 10;
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    for _ in 0..WEBHOOKS {
        system.webhook(&sealed(&target.url("/"))).await;
    }
    put_others(&system).await;
    assert_eq!(sealings(&system).await, [sealing("k1", 30, 1)]);
    system.accept(&event("first", "Entry.publish")).await;
    target.until(WEBHOOKS).await;

    let mut rotating = pin!(done(&system, &["rotate"]));
    let mut published = 1;
    let rotated = loop {
        system.accept(&event(&format!("e{published}"), "Entry.publish")).await;
        published += 1;
        if let Poll::Ready(rotated) = poll!(&mut rotating) {
            break rotated;
        }
    };
    assert_eq!(rotated["resealed"], json!({ "webhooks": 30, "sources": 1, "settings": 1 }), "{rotated}");
    assert_eq!(sealings(&system).await, [sealing("k2", 30, 1), sealing("k1", 0, 0)]);
    assert_eq!(system.composition().holders("v1.k1.").await, Vec::<String>::new(), "sealed with the old key");
    assert!(!system.composition().holders("v1.k2.").await.is_empty(), "or the search finds nothing");

    let (code, _, refused) = keys(&system, &["forget", "k2"]).await;
    assert!(code != 0 && refused.contains("sealed with k2"), "{refused}");
    done(&system, &["forget", "k1"]).await;
    assert!(!ring(&system.composition().ring_file()).contains("k1:"));
    assert_eq!(sealings(&system).await, [sealing("k2", 30, 1)]);
    system.accept(&event("last", "Entry.publish")).await;
    published += 1;
    assert_eq!(from_cms(&system).await, StatusCode::ACCEPTED, "the source's secret is what it was");
    published += 1;

    let deliveries = published * WEBHOOKS;
    target.until(deliveries).await;
    let all = u64::try_from(deliveries).expect("few");
    let balance = system.until("all is delivered", |balance| balance.of("delivered") == all).await;
    let calls = system.call(Method::GET, "/spaces/default/calls?limit=1", None).await;
    assert_eq!((balance.total(), &calls["total"]), (all, &json!(all)), "no call failed");
    target.hits("/").iter().for_each(assert_genuine);
}

fn ring(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the key ring")
}

#[tokio::test]
async fn a_lost_key_costs_its_webhooks_alone_and_heals_without_a_restart() {
    let (mut system, target) = (System::start(&[]).await, Target::willing().await);
    let id = system.webhook(&sealed(&target.url("/sealed"))).await;
    system.webhook(&webhook(&target.url("/plain"), &["*.*"])).await;
    put_others(&system).await;
    let file = system.composition().ring_file();
    let kept = ring(&file);
    done(&system, &["add", "--id", "k9"]).await;
    let lost: Vec<String> =
        ring(&file).lines().filter(|line| !line.starts_with("k1:")).map(str::to_owned).collect();
    std::fs::write(&file, lost.join("\n")).expect("the key ring is written");
    system.signal("TERM");
    system.ended().await;
    system.run().await;

    system.accept(&event("one", "Entry.publish")).await;
    target.until(1).await;
    assert_eq!(target.hits("/plain").len(), 1, "others are called");
    let path = format!("/spaces/default/calls?webhook={id}");
    let recorded = async {
        loop {
            let calls = system.call(Method::GET, &path, None).await;
            if let Some(call) = calls["items"].as_array().expect("items").first() {
                return call.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let failed = timeout(PATIENCE, recorded).await.expect("the call is on record");
    let why = failed["failure"]["message"].as_str().expect("a failure");
    assert!(why.contains("\"k1\", which is not in the key ring"), "{why}");
    assert_eq!(failed["state"], "pending", "{failed}");
    assert_eq!(from_cms(&system).await, StatusCode::SERVICE_UNAVAILABLE, "the CMS sends it again");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for process in system.processes() {
        let ready = client.get(format!("{}/readyz", process.url)).send().await.expect("an answer");
        assert_eq!(ready.status(), StatusCode::OK, "{}", process.service);
    }
    assert_eq!(sealings(&system).await, [sealing("k9", 0, 0), sealing("k1", 3, 1)]);
    let (code, said, _) = keys(&system, &["reseal"]).await;
    assert_eq!((code, &said["failures"]), (1, &json!(5)), "{said}");

    std::fs::write(&file, format!("{}\n{kept}", lost.join("\n"))).expect("the key ring is written");
    target.until(2).await;
    assert_genuine(&target.hits("/sealed")[0]);
    // Each process looks for a missing key once a second, and a CMS repeats what was answered 503.
    let taken = async {
        while from_cms(&system).await == StatusCode::SERVICE_UNAVAILABLE {
            tokio::task::yield_now().await;
        }
        from_cms(&system).await
    };
    assert_eq!(timeout(PATIENCE, taken).await.expect("it heals"), StatusCode::ACCEPTED);
    done(&system, &["reseal"]).await;
    assert_eq!(sealings(&system).await, [sealing("k9", 3, 1), sealing("k1", 0, 0)]);
}

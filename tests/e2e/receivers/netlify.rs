//! `docs/guides/netlify.md`, against a stand-in for Netlify's build hooks.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postrider_tests::markdown::{Block, block, blocks};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::stand_in::{Received, STAND_IN, StandIn};
use crate::program;
use crate::shell::Shell;
use crate::system::System;

const PAGE: &str = "docs/guides/netlify.md";
/// Where Netlify's hooks are; the stand-in takes its place.
const NETLIFY: &str = "https://api.netlify.com";
const HOOK: &str = "/build_hooks/5f7c1e0a2b3d4c5e6f708192";
/// Says whether a signature is that of its input under a secret: the verifier that CometCMS's document prints for Python.
const VERIFIER: [&str; 3] = [
    "python3",
    "-c",
    "import hmac, hashlib, sys; expected = 'sha256=' + hmac.new(sys.argv[2].encode(), sys.stdin.buffer.read(), hashlib.sha256).hexdigest(); print(str(hmac.compare_digest(expected, sys.argv[1])).lower())",
];

/// A hook takes a POST and answers 200 with nothing; other hooks there are none.
async fn netlify() -> StandIn {
    StandIn::start("Netlify", async |call: Received| -> Response {
        match (call.path.as_str(), call.method) {
            (HOOK, Method::POST) => StatusCode::OK.into_response(),
            (HOOK, _) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
            _ => (StatusCode::NOT_FOUND, "Not Found").into_response(),
        }
    })
    .await
}

fn script(page: &[Block], heading: &str) -> String {
    block(page, heading, "sh").text.clone()
}

/// The page's first step, with the stand-in in Netlify's place.
fn hook(page: &[Block], netlify: &StandIn) -> String {
    let told = script(page, "The build hook");
    assert!(told.contains(&format!("{NETLIFY}{HOOK}")), "{told}");
    told.replace(NETLIFY, &netlify.url(""))
}

/// A shell in which the webhook of the page was made, with this as what `openssl` draws.
async fn connected(system: &System, netlify: &StandIn, secret: &str) -> (Shell, Vec<Block>) {
    let (shell, page) = (Shell::of(system), blocks(PAGE));
    shell.write("bin/openssl", &format!("#!/bin/sh\n[ \"$*\" = 'rand -hex 32' ] && echo {secret}\n"));
    shell.run(&(hook(&page, netlify) + &script(&page, "The webhook"))).await;
    (shell, page)
}

fn events(builds: &[Received]) -> Vec<Value> {
    builds.iter().map(|build| build.json()["event"].clone()).collect()
}

#[tokio::test]
async fn published_and_unpublished_each_start_one_build_and_an_edit_none() {
    let (system, netlify) = (System::start(&[]).await, netlify().await);
    let secret = "5e".repeat(32);
    let (shell, page) = connected(&system, &netlify, &secret).await;
    shell.run(&script(&page, "Try it")).await;
    system.until("two are delivered", |balance| balance.of("delivered") == 2).await;
    let builds = netlify.received();
    let mut told = events(&builds);
    told.sort_by_key(Value::to_string);
    assert_eq!(told, ["content.published", "content.unpublished"]);
    for build in builds {
        let signature = build.header("x-cometcms-signature");
        assert!(program::verified(&VERIFIER, [signature, &secret], &build.body).await, "signed regardless");
        assert!(!program::verified(&VERIFIER, [signature, "another"], &build.body).await);
    }
}

#[tokio::test]
async fn an_empty_200_is_a_success_and_every_call_is_on_record() {
    let (system, netlify) = (System::start(&[]).await, netlify().await);
    let (shell, page) = connected(&system, &netlify, "any-random-string").await;
    shell.run("postrider webhooks test netlify").await;
    assert_eq!(events(&netlify.received()), ["content.published"], "a test call is a build");
    shell.run(&script(&page, "Try it")).await;
    system.until("two are delivered", |balance| balance.of("delivered") == 2).await;
    let listed = &block(&page, "Try it", "sh calls").text;
    let listed = shell.run(&listed.replace("postrider", "postrider --json")).await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let id = listed["items"][0]["sys"]["id"].as_str().unwrap_or_else(|| panic!("{listed}"));
    let call = shell.run(&format!("postrider --json calls show {id}")).await;
    let call: Value = serde_json::from_str(&call).expect("JSON");
    let answer = &call["response"];
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("")), "{call}");
    assert_eq!(answer["headers"][STAND_IN], "Netlify", "{call}");
}

#[tokio::test]
async fn a_hook_that_was_deleted_is_given_up_with_its_cause() {
    let (system, netlify) = (System::start(&[]).await, netlify().await);
    let (shell, page) = connected(&system, &netlify, "any-random-string").await;
    shell.run(&format!("postrider webhooks update netlify --url {}", netlify.url("/build_hooks/gone"))).await;
    shell.run(&script(&page, "Try it")).await;
    system.until("two are given up", |balance| balance.of("given_up") == 2).await;
    assert_eq!(netlify.received().len(), 2, "not tried again");
    let listed = shell.run("postrider --json calls list --webhook netlify").await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let id = listed["items"][0]["sys"]["id"].as_str().unwrap_or_else(|| panic!("{listed}"));
    let call = shell.run(&format!("postrider --json calls show {id}")).await;
    let call: Value = serde_json::from_str(&call).expect("JSON");
    let shown = shell.run(&format!("postrider calls show {id}")).await;
    for part in ["cause", "nextStep"] {
        let told = call["diagnosis"][part].as_str().unwrap_or_else(|| panic!("{part}: {call}"));
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[tokio::test]
async fn a_release_is_one_build() {
    let (system, netlify) = (System::start(&[]).await, netlify().await);
    let (shell, page) = connected(&system, &netlify, "any-random-string").await;
    shell.run(&script(&page, "One build for a release")).await;
    let entry = |n: usize| {
        json!({ "type": "Entry", "action": "publish", "data": {},
            "resource": { "id": format!("e{n}"), "contentType": "posts", "slug": format!("post-{n}") },
            "cause": { "kind": "release", "id": "r1", "title": "Spring" } })
    };
    let release: Vec<Value> = (0..50).map(entry).collect();
    shell.write("release.json", &json!(release).to_string());
    shell.run("postrider events publish -f release.json").await;
    system.until("all are settled", |balance| balance.total() == 50 && balance.of("pending") == 0).await;
    assert_eq!(system.balance().await.of("delivered"), 1);
    assert_eq!(netlify.received().len(), 1, "fifty publishes are one build");
}

#[tokio::test]
async fn a_build_can_be_titled_by_what_caused_it() {
    let (system, netlify) = (System::start(&[]).await, netlify().await);
    let (shell, page) = (Shell::of(&system), blocks(PAGE));
    shell.run(&(hook(&page, &netlify) + &script(&page, "Builds that say what caused them"))).await;
    let event = json!({ "type": "Entry", "action": "publish", "data": {},
        "resource": { "id": "a", "contentType": "posts", "slug": "über & unter?" } });
    system.happen(&[event], 1).await;
    let build = netlify.received().remove(0);
    let url = Url::parse(&netlify.url(&format!("{}?{}", build.path, build.query))).expect("a URL");
    let query: Vec<_> = url.query_pairs().into_owned().collect();
    assert_eq!(query, [("trigger_title".to_owned(), "content.published: über & unter?".to_owned())]);
    assert!(build.header("x-cometcms-signature").starts_with("sha256="), "one was drawn");
}

//! `docs/guides/staging-deploy.md`: the page's script deploys a small site from a repository of its own; GitHub is a stand-in.

use std::process::Stdio;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postrider_tests::markdown::{Block, block, blocks};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::stand_in::{Received, StandIn};
use crate::process::PATIENCE;
use crate::shell::Shell;
use crate::system::System;

const PAGE: &str = "docs/guides/staging-deploy.md";
/// Where the page's webhook calls; the script under test takes its place.
const HOOK: &str = "https://staging.example.com/deploy";
const GITHUB: &str = "https://api.github.com";
/// A site whose build adds a line to `dist/builds`: what it makes of its content is not this page's matter.
const MANIFEST: &str = r#"{ "name": "site", "version": "1.0.0", "scripts": { "build": "mkdir -p dist && echo built >> dist/builds" } }"#;
const LOCK: &str = r#"{ "name": "site", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
  "packages": { "": { "name": "site", "version": "1.0.0" } } }"#;
/// Its repository, and a checkout. Each command names the repository that it is for.
const REPOSITORY: &str = "git init --quiet --initial-branch=main origin
mv package.json package-lock.json origin
git -C origin add package.json package-lock.json
git -C origin -c user.name=site -c user.email=site@example.com commit --quiet --message first
git clone --quiet origin site";

/// The page's hook, running.
struct Hook {
    url: String,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Hook {
    /// Starts it as the page tells.
    async fn start(shell: &mut Shell, page: &[Block]) -> Self {
        let own = "On your own server";
        shell.write("package.json", MANIFEST);
        shell.write("package-lock.json", LOCK);
        shell.run(REPOSITORY).await;
        for (name, info) in [("deploy_hook.py", "python deploy_hook.py"), ("deploy.sh", "sh deploy.sh")] {
            shell.write(name, &block(page, own, info).text);
        }
        let site = shell.folder().join("site").to_string_lossy().into_owned();
        let secret = block(page, own, "sh secret").text.clone() + "printf %s \"$SIGNING_SECRET\"";
        let secret = shell.run(&secret).await;
        for (name, value) in [("SITE", &*site), ("PORT", "0"), ("SIGNING_SECRET", &*secret)] {
            shell.export(name, value);
        }
        let mut run = shell.command("bash");
        run.args(["-c", &format!("exec {}", block(page, own, "sh run").text)]).stdout(Stdio::piped());
        let mut process = run.spawn().expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let said = line(&mut lines).await;
        let url = said.strip_prefix("listening on ").unwrap_or_else(|| panic!("{said}")).to_owned();
        Self { url, lines, _process: process }
    }

    /// Waits for the end of a deploy; what the script says of it.
    async fn deployed(&mut self) -> String {
        line(&mut self.lines).await
    }
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = timeout(PATIENCE, lines.next_line()).await.expect("it says something");
    line.expect("readable").expect("it runs")
}

fn builds(shell: &Shell) -> usize {
    let built = std::fs::read_to_string(shell.folder().join("site/dist/builds")).unwrap_or_default();
    built.lines().count()
}

/// Publishes so many entries of a release, in this environment.
async fn release(shell: &Shell, environment: &str, entries: usize) {
    let entry = |n: usize| {
        json!({ "type": "Entry", "action": "publish", "resource": { "id": format!("e{n}") }, "data": {},
            "cause": { "kind": "release", "id": "r1", "title": "Spring" } })
    };
    let release: Vec<Value> = (0..entries).map(entry).collect();
    shell.write("release.json", &json!(release).to_string());
    shell.run(&format!("postrider events publish --environment {environment} -f release.json")).await;
}

#[tokio::test]
async fn a_release_in_staging_is_one_deploy_of_the_site() {
    let (system, page) = (System::start(&[]).await, blocks(PAGE));
    let mut shell = Shell::of(&system);
    let mut hook = Hook::start(&mut shell, &page).await;
    let webhook = &block(&page, "The webhook", "sh").text;
    assert!(webhook.contains(HOOK), "{webhook}");
    shell.run(&block(&page, "The environment", "sh").text).await;
    shell.run(&webhook.replace(HOOK, &hook.url)).await;
    release(&shell, "master", 5).await;
    release(&shell, "staging", 50).await;
    assert_eq!(hook.deployed().await, "deploy ended with 0");
    let settled =
        system.until("all are settled", |balance| balance.total() == 50 && balance.of("pending") == 0);
    let balance = settled.await;
    assert_eq!((balance.of("delivered"), balance.of("superseded")), (1, 49), "what is in master is not told");
    assert_eq!(builds(&shell), 1);
    release(&shell, "staging", 1).await;
    assert_eq!(hook.deployed().await, "deploy ended with 0");
    assert_eq!(builds(&shell), 2, "the next change is the next deploy");
}

#[tokio::test]
async fn the_deploy_hook_starts_nothing_for_a_call_that_is_not_signed() {
    let (system, page) = (System::start(&[]).await, blocks(PAGE));
    let mut shell = Shell::of(&system);
    let mut hook = Hook::start(&mut shell, &page).await;
    let client = Client::builder().no_proxy().build().expect("a client");
    let ask = async |headers: &[(&str, &str)]| {
        let request = client.post(&hook.url).body("{}");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("an answer").status()
    };
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs().to_string();
    let [id, at] = [("webhook-id", "msg_1"), ("webhook-timestamp", &*now)];
    for unsigned in [&[][..], &[id, at], &[id, at, ("webhook-signature", "v1,AAAA")]] {
        assert_eq!(ask(unsigned).await, StatusCode::UNAUTHORIZED, "{unsigned:?}");
    }
    // What comes next is signed, and is the first deploy.
    let webhook = block(&page, "The webhook", "sh").text.replace(HOOK, &hook.url);
    shell.run(&webhook).await;
    shell.run("postrider webhooks test staging").await;
    assert_eq!(hook.deployed().await, "deploy ended with 0");
    assert_eq!(builds(&shell), 1);
}

/// GitHub takes a dispatch of this repository from whoever has the token and says who calls.
async fn github() -> StandIn {
    StandIn::start("GitHub", async |call: Received| -> Response {
        let known =
            call.header("authorization") == "Bearer the-token" && !call.header("user-agent").is_empty();
        match (call.method, call.path.as_str()) {
            (Method::POST, "/repos/your-name/your-site/dispatches") if known => {
                StatusCode::NO_CONTENT.into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
    .await
}

#[tokio::test]
async fn github_actions_are_told_with_a_secret_header_and_a_body_of_their_own() {
    let (system, github, page) = (System::start(&[]).await, github().await, blocks(PAGE));
    let mut shell = Shell::of(&system);
    shell.export("GITHUB_TOKEN", "the-token");
    let made = &block(&page, "By GitHub Actions", "sh").text;
    assert!(made.contains(GITHUB), "{made}");
    shell.run(&block(&page, "The environment", "sh").text).await;
    shell.run(&made.replace(GITHUB, &github.url(""))).await;
    release(&shell, "staging", 3).await;
    github.until(1).await;
    system.until("all are settled", |balance| balance.total() == 3 && balance.of("pending") == 0).await;
    assert_eq!(system.balance().await.of("delivered"), 1, "one dispatch for the release");
    let told = &github.received()[0];
    let body = told.json();
    assert_eq!(body["event_type"], "content", "the type that the page's workflow listens to");
    let workflow = &block(&page, "By GitHub Actions", "yaml .github/workflows/staging.yml").text;
    assert!(workflow.contains("repository_dispatch:\n    types: [content]\n"), "{workflow}");
    assert_eq!(body["client_payload"]["what"], "Entry.publish");
    assert_eq!(told.header("accept"), "application/vnd.github+json");
    let shown = shell.run("postrider --json webhooks show staging").await;
    assert!(!shown.contains("the-token"), "{shown}");
}

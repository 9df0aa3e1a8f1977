//! `docs/guides/aws-lambda.md`: the page's functions in Node and Python, set up by the page's commands, behind a stand-in for
//! `aws` (`aws.py`) and one for Lambda, which makes an event of each request (payload format 2.0 of function URLs).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_dialects::standard_webhooks::signature;
use postrider_tests::markdown::{Block, block, blocks};
use reqwest::{Client, Method};
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::stand_in::{Received, StandIn};
use crate::program::says;
use crate::shell::Shell;
use crate::system::System;

const PAGE: &str = "docs/guides/aws-lambda.md";
/// Language, the block with its function, the block that makes it.
const NODE: [&str; 3] = ["Node", "js index.mjs", "sh node"];
const PYTHON: [&str; 3] = ["Python", "python lambda_function.py", "sh python"];

/// How Lambda's runtimes run the handler that the argument names: it gets the event; what it returns is said last.
const RUN_NODE: &str = r#"
import { readFileSync } from "node:fs";
const [module, name] = process.argv[1].split(".");
const { [name]: handler } = await import(`./${module}.mjs`);
console.log(`answer ${JSON.stringify(await handler(JSON.parse(readFileSync(0))))}`);
"#;
const RUN_PYTHON: &str = r#"
import importlib, json, sys
module, name = sys.argv[1].split(".")
print("answer", json.dumps(getattr(importlib.import_module(module), name)(json.load(sys.stdin), None)))
"#;

/// What the function said beside its answers.
type Log = Arc<Mutex<Vec<String>>>;

/// A set-up function, and what is around it.
struct Function {
    shell: Shell,
    page: Vec<Block>,
    lambda: StandIn,
    log: Log,
}

impl Function {
    /// Does all that the page tells, in its order.
    async fn deployed(system: &System, [language, code, create]: [&str; 3]) -> Self {
        let (mut shell, page, log) = (Shell::of(system), blocks(PAGE), Log::default());
        let (folder, said) = (shell.folder().join("lambda"), Arc::clone(&log));
        let lambda = StandIn::start("AWS Lambda", move |call: Received| {
            let (folder, said) = (folder.clone(), Arc::clone(&said));
            async move { invoke(&folder, &call, &said).await }
        });
        let lambda = lambda.await;
        let name = code.rsplit(' ').next().expect("a file name");
        shell.write(name, &block(&page, language, code).text);
        shell.write("bin/aws", include_str!("aws.py"));
        shell.export("ROLE_ARN", "arn:aws:iam::123456789012:role/content-events");
        shell.export("STAND_IN_FOR_LAMBDA", &lambda.url("/"));
        let steps = [
            ("The secret", "sh"),
            ("The function", create),
            ("The function URL", "sh"),
            ("The webhook", "sh"),
        ];
        let told: Vec<&str> =
            steps.iter().map(|(heading, info)| &*block(&page, heading, info).text).collect();
        shell.run(&told.concat()).await;
        Self { shell, page, lambda, log }
    }

    fn settings_file(&self) -> PathBuf {
        self.shell.folder().join("lambda/function.json")
    }

    fn settings(&self) -> Value {
        settings(&self.shell.folder().join("lambda"))
    }

    fn secret(&self) -> String {
        self.settings()["environment"]["SIGNING_SECRET"].as_str().expect("a secret").to_owned()
    }

    /// What it answers to a request that somebody makes.
    async fn answers(&self, headers: &[(&str, &str)], body: &[u8]) -> StatusCode {
        let client = Client::builder().no_proxy().build().expect("a client");
        let request = client.request(Method::POST, self.lambda.url("/")).body(body.to_vec());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("an answer").status()
    }
}

fn settings(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("function.json")).expect("the function was made");
    serde_json::from_str(&text).expect("JSON")
}

/// The event of a request: names of headers in lower case, and bodies in Base64 that are not known to be text.
fn event_of(call: &Received) -> Value {
    let text = |value: &axum::http::HeaderValue| json!(value.to_str().expect("text"));
    let headers: Map<String, Value> =
        call.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let kind = call.header("content-type");
    let is_text = kind.starts_with("text/") || kind.starts_with("application/json");
    let body = match std::str::from_utf8(&call.body) {
        Ok(body) if is_text => body.to_owned(),
        _ => STANDARD.encode(&call.body),
    };
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": call.path, "rawQueryString": call.query, "headers": headers,
        "requestContext": { "http": { "method": call.method.as_str(), "path": call.path }, "stage": "$default" },
        "body": body, "isBase64Encoded": !is_text,
    })
}

/// Runs the function for a request. Without both permissions nobody may; what throws is a 502.
async fn invoke(folder: &Path, call: &Received, log: &Log) -> Response {
    let settings = settings(folder);
    let allowed =
        |action: &str| settings["permissions"].as_array().is_some_and(|all| all.contains(&json!(action)));
    if !(allowed("lambda:InvokeFunctionUrl") && allowed("lambda:InvokeFunction")) {
        return (StatusCode::FORBIDDEN, r#"{"Message":"Forbidden"}"#).into_response();
    }
    let runtime = settings["runtime"].as_str().expect("a runtime");
    let mut command = if runtime.starts_with("nodejs") {
        let mut node = Command::new("node");
        node.args(["--input-type=module", "-e", RUN_NODE]);
        node
    } else {
        let mut python = Command::new("python3");
        python.args(["-c", RUN_PYTHON]);
        python
    };
    command
        .arg(settings["handler"].as_str().expect("a handler"))
        .current_dir(folder)
        .stderr(Stdio::inherit());
    for (name, value) in settings["environment"].as_object().expect("variables") {
        command.env(name, value.as_str().expect("a text"));
    }
    let said = says(&mut command, event_of(call).to_string().as_bytes()).await;
    let mut lines: Vec<&str> = said.lines().collect();
    let Some(answer) = lines.pop().and_then(|line| line.strip_prefix("answer ")) else {
        return (StatusCode::BAD_GATEWAY, "Internal Server Error").into_response();
    };
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    log.lock().expect("sound").extend(lines.into_iter().map(str::to_owned));
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    (StatusCode::from_u16(status).expect("a status"), body).into_response()
}

fn published(id: &str) -> Value {
    json!({ "id": id, "type": "Entry", "action": "publish", "data": { "title": "Grüße \"😀\"" },
        "resource": { "id": "5KsD", "contentType": "posts" } })
}

/// The function takes what Postrider sends, a test call too, and does what it is for; also where Lambda hands it Base64.
async fn reacts(language: [&str; 3]) {
    let system = System::start(&[]).await;
    let function = Function::deployed(&system, language).await;
    assert_eq!(function.log.lock().expect("sound").len(), 1, "the page's test call");
    system.happen(&[published("e1")], 1).await;
    let other = "postrider webhooks update lambda --header Content-Type=application/vnd.example+json";
    function.shell.run(other).await;
    system.happen(&[published("e2")], 2).await;
    let calls = function.lambda.received();
    assert_eq!(calls[2].header("content-type"), "application/vnd.example+json");
    let log = function.log.lock().expect("sound").clone();
    assert_eq!(log.len(), 3, "{log:?}");
    for (call, line) in calls.iter().zip(&log).skip(1) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let id = call.header("webhook-id");
        assert_eq!(line, json!({ "id": id, "type": "Entry.publish", "resource": "5KsD" }));
    }
}

#[tokio::test]
async fn a_function_in_node_reacts_to_what_is_delivered() {
    reacts(NODE).await;
}

#[tokio::test]
async fn a_function_in_python_reacts_to_what_is_delivered() {
    reacts(PYTHON).await;
}

/// A copy of what was delivered is taken; changed, signed by another secret, too old, or not signed, it is not.
async fn refuses(language: [&str; 3]) {
    let system = System::start(&[]).await;
    let function = Function::deployed(&system, language).await;
    system.happen(&[published("e1")], 1).await;
    let delivered = function.lambda.received().remove(1);
    let [id, timestamp, signed] = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| delivered.header(name).to_owned());
    let json = ("content-type", "application/json");
    let headers = |timestamp: &str, signed: &str| {
        [json, ("webhook-id", &*id), ("webhook-timestamp", timestamp), ("webhook-signature", signed)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let ask = async |headers: &[(String, String)], body: &[u8]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        function.answers(&headers, body).await
    };
    let genuine = headers(&timestamp, &signed);
    assert_eq!(ask(&genuine, &delivered.body).await, StatusCode::NO_CONTENT, "as it was delivered");
    let mut changed = delivered.body.to_vec();
    *changed.last_mut().expect("a byte") ^= 1;
    let seconds: i64 = timestamp.parse().expect("seconds");
    let signed_by = |secret: &str, seconds| signature(secret, &id, seconds, &delivered.body).expect("signed");
    let old = seconds - 301;
    let refused = [
        ("a changed byte", ask(&genuine, &changed).await),
        ("another secret", ask(&headers(&timestamp, &signed_by("another", seconds)), &delivered.body).await),
        (
            "too old",
            ask(&headers(&old.to_string(), &signed_by(&function.secret(), old)), &delivered.body).await,
        ),
        ("no instant", ask(&headers("soon", &signed), &delivered.body).await),
        ("no signature", ask(&headers(&timestamp, ""), &delivered.body).await),
        ("no headers", ask(&genuine[..1], &delivered.body).await),
    ];
    for (what, status) in refused {
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert_eq!(function.log.lock().expect("sound").len(), 3, "what is refused is not acted upon");
}

#[tokio::test]
async fn a_function_in_node_refuses_what_is_not_signed_with_its_secret() {
    refuses(NODE).await;
}

#[tokio::test]
async fn a_function_in_python_refuses_what_is_not_signed_with_its_secret() {
    refuses(PYTHON).await;
}

/// During the overlap the function may have either secret, and no call fails.
async fn takes_a_new_secret(language: [&str; 3]) {
    let system = System::start(&[]).await;
    let function = Function::deployed(&system, language).await;
    let old = (function.secret(), std::fs::read(function.settings_file()).expect("settings"));
    function.shell.run(&block(&function.page, "A new secret", "sh").text).await;
    assert_ne!(function.secret(), old.0);
    system.happen(&[published("new")], 1).await;
    std::fs::write(function.settings_file(), old.1).expect("written");
    system.happen(&[published("old")], 2).await;
    let calls = function.lambda.received();
    assert_eq!(calls.len(), 3, "the test call, and no call twice");
    assert_eq!(calls[2].header("webhook-signature").split(' ').count(), 2, "both sign");
}

#[tokio::test]
async fn a_function_in_node_takes_a_new_secret_without_a_failed_call() {
    takes_a_new_secret(NODE).await;
}

#[tokio::test]
async fn a_function_in_python_takes_a_new_secret_without_a_failed_call() {
    takes_a_new_secret(PYTHON).await;
}

//! What speaks to Contentful's management API speaks to Postrider: the official client from npm, unchanged, and the three
//! curl lines of Contentful's documentation on webhooks.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use postrider_tests::npm;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::PATIENCE;
use crate::program::says;
use crate::system::{System, event, webhook};
use crate::target::{Answer, Hit, Target};

/// The client's version is pinned there, and the driver is there.
const CLIENT: &str = "tests/clients/contentful";

/// As they stand in the documentation ("Configure a webhook", "List webhooks in a space", "Detailed activity log").
const CURL_LINES: [&str; 3] = [
    r#"curl -X POST "https://api.contentful.com/spaces/<SPACE_ID>/webhook_definitions"
  -d '{"url": "<URL>", "name": "foo", "topics": ["*.*"]}'
  -H 'Authorization: Bearer <API_KEY>'
  -H 'Content-Type: application/vnd.contentful.management.v1+json'"#,
    r#"curl -X GET "https://api.contentful.com/spaces/<SPACE_ID>/webhook_definitions"
-H "Authorization: Bearer <API_KEY>"
-H "Content-Type: application/vnd.contentful.management.v1+json""#,
    r#"curl -X GET "https://api.contentful.com/spaces/<SPACE_ID>/webhooks/<WEBHOOK_ID>/calls"
-H "Authorization: Bearer <API_KEY>"
-H "Content-Type: application/vnd.contentful.management.v1+json""#,
];

/// The folder with the client and the driver; filled once per run, from the lock file alone.
pub(crate) fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // Of its own for each target, because two of them may run at once.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("npm-", env!("CARGO_CRATE_NAME")));
        npm::install(CLIENT, &["driver.js", "verify.js"], folder)
    })
}

/// What a command says. It reaches this machine without a proxy.
async fn said(command: &mut Command) -> Output {
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1").kill_on_drop(true);
    let output = timeout(PATIENCE, command.stderr(Stdio::inherit()).output()).await;
    output.expect("it ends").expect("it starts")
}

/// A request as `@contentful/node-apps-toolkit` wants it, and the secret it is to be verified with.
pub(crate) fn request(hit: &Hit, secret: &str) -> Value {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("text").to_owned();
    let headers: serde_json::Map<String, Value> =
        hit.headers.iter().map(|(name, value)| (name.to_string(), json!(text(value)))).collect();
    let body = std::str::from_utf8(&hit.body).expect("UTF-8");
    json!({ "secret": secret, "method": hit.method.as_str(), "path": hit.target, "headers": headers, "body": body })
}

/// What Contentful's own toolkit says of each of these requests.
pub(crate) async fn verified(requests: &[Value]) -> Vec<bool> {
    let lines: Vec<String> = requests.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n") + "\n";
    let mut verifier = Command::new("node");
    let said = says(verifier.arg("verify.js").current_dir(installed()), lines.as_bytes()).await;
    said.lines().map(|line| line.parse().expect("true or false")).collect()
}

async fn token(system: &System, role: &str, space: &str) -> String {
    let asked = json!({ "name": role, "role": role, "space": space });
    let made = system.call(Method::POST, "/tokens", Some(&asked)).await;
    made["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn the_official_client_leads_webhooks_through_their_whole_life() {
    let folder = installed();
    let target = Target::start(|hit| Answer::Status(if hit.path == "/refused" { 404 } else { 200 })).await;
    let system = System::start(&[]).await;
    let called = system.webhook(&webhook(&target.url("/called"), &["Entry.publish"])).await;
    let refused = system.webhook(&webhook(&target.url("/refused"), &["Entry.publish"])).await;
    let dead = system.webhook(&dead()).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("all are done", |balance| balance.of("delivered") + balance.of("given_up") == 3).await;
    system.call(Method::PUT, "/spaces/elsewhere", Some(&json!({}))).await;

    let told = json!({
        "host": host(&system), "space": "default", "token": system.token(),
        "viewer": token(&system, "viewer", "default").await,
        "stranger": token(&system, "admin", "elsewhere").await,
        "target": target.url("/target"), "called": called, "refused": refused, "dead": dead,
    });
    let mut driver = Command::new("node");
    // Node 23 and later would report in another form.
    driver.args(["--test-reporter=tap", "driver.js"]).arg(told.to_string()).current_dir(folder);
    let output = said(&mut driver).await;
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    let tests = include_str!("../clients/contentful/driver.js").matches("\ntest(").count();
    assert!(tests > 0 && report.contains(&format!("# pass {tests}\n")), "not all ran: {report}");
}

/// A webhook where nobody listens, called once.
fn dead() -> Value {
    let mut dead = webhook("http://127.0.0.1:1/", &["Entry.publish"]);
    dead["retryPolicy"] = json!("none");
    dead
}

#[tokio::test]
async fn the_curl_lines_of_the_documentation_work() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let [create, list, calls] = CURL_LINES;
    let made = curl(&system, create, &[("<URL>", &target.url("/"))]).await;
    let id = made["sys"]["id"].as_str().expect("an id");
    let listed = curl(&system, list, &[]).await;
    assert_eq!((&listed["total"], &listed["items"][0]["sys"]["id"]), (&json!(1), &json!(id)), "{listed}");
    assert_eq!(listed["items"][0]["name"], "foo", "{listed}");
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is on record", |balance| balance.of("delivered") == 1).await;
    let calls = curl(&system, calls, &[("<WEBHOOK_ID>", id)]).await;
    assert_eq!((&calls["total"], &calls["items"][0]["statusCode"]), (&json!(1), &json!(200)), "{calls}");
}

/// Runs a line in a shell with nothing changed but the `\` that it lacks, scheme, host, ids and token.
async fn curl(system: &System, line: &str, ids: &[(&str, &str)]) -> Value {
    let line = line
        .replace('\n', " \\\n")
        .replace("https://api.contentful.com", &format!("http://{}", host(system)))
        .replace("<SPACE_ID>", "default")
        .replace("<API_KEY>", system.token());
    let line = ids.iter().fold(line, |line, (name, id)| line.replace(name, id));
    let output = said(Command::new("sh").args(["-c", &line])).await;
    assert!(output.status.success(), "{line}: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Where management is, without the scheme.
fn host(system: &System) -> &str {
    system.composition().base(&Method::GET, "/spaces").trim_start_matches("http://")
}

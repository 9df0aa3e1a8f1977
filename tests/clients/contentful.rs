//! Contentful's own toolkit verifies what the dialect `contentful` signs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use postrider_dialects::{Dialect, Occasion, Rendered, dialect};
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Method;
use postrider_testkit::START;
use postrider_testkit::builders::{event, webhook};
use postrider_tests::npm;
use reqwest::Url;
use serde_json::{Value, json};

/// The toolkit's version is pinned there, and the driver is there.
const CLIENT: &str = "tests/clients/contentful";

/// Paths and queries in every notation that a URL can have.
const TARGETS: [&str; 10] = [
    "/",
    "/hook",
    "/a b/ü/😀",
    "/a%20b/%C3%BC",
    "/hook?a=1&b=2",
    "/hook?q=ü ö&r=x y",
    "/hook?a=%20&b=c%26d+e",
    "/hook?",
    "/hook?a=1?b=2",
    "/~user/(1)/*'!;,:@&=+$?-_.!~*'()[]{}|^`<>\"\\",
];
/// Methods, and data that comes with them.
const CALLS: [(Method, &str); 5] = [
    (Method::Post, r#"{"title":{"en-US":"Grüße \"😀\"\\ \u2028\n"}}"#),
    (Method::Put, "{}"),
    (Method::Patch, "[1.0,null]"),
    (Method::Get, r#"{"not":"sent"}"#),
    (Method::Delete, "null"),
];

/// The folder with the toolkit and the driver; filled once per run, from the lock file alone.
fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("npm-", env!("CARGO_CRATE_NAME")));
        npm::install(CLIENT, &["verify.js"], folder)
    })
}

/// What the toolkit says of each of these requests.
fn verified(requests: &[Value]) -> Vec<bool> {
    let lines: Vec<String> = requests.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n") + "\n";
    let mut verifier = Command::new("node")
        .arg("verify.js")
        .current_dir(installed())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    // The driver reads everything before the pipe of its answers could be full: 5 bytes an answer.
    verifier.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
    let output = verifier.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().map(|line| line.parse().expect("true or false")).collect()
}

fn secret() -> String {
    "0aZ+/=_-".repeat(8)
}

fn rendered(target: &str, method: Method, data: &str) -> Rendered {
    let event = event("Entry.save").data(data).build();
    let webhook = webhook("w")
        .name("build größe")
        .dialect("contentful")
        .method(method)
        .url(&format!("https://receiver.example{target}"))
        .build();
    let secrets = OpenedSecrets {
        space_signing: Some(secret()),
        headers: vec![("X-Mine".into(), "  spaced  value ".into())],
        ..OpenedSecrets::default()
    };
    let message_id =
        postrider_domain::delivery::DeliveryId::derive(&event.head.scope, &event.head.id, &webhook.id, 0);
    let space = SpaceSettings::default();
    let occasion = Occasion {
        event: &event,
        webhook: &webhook,
        space: &space,
        secrets: &secrets,
        message_id,
        coalesced: None,
        attempt: 2,
        now: START,
    };
    contentful().write(&occasion).expect("a request")
}

fn contentful() -> &'static dyn Dialect {
    dialect("contentful").expect("known")
}

/// A request as an HTTP server hands it over: the toolkit is given what arrives, headers of the way included.
fn seen(rendered: &Rendered) -> Value {
    let url = Url::parse(&rendered.url).expect("a URL");
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut headers: serde_json::Map<String, Value> = rendered
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), json!(value.trim())))
        .collect();
    headers.insert("host".to_owned(), json!("receiver.example"));
    let body = rendered.body.as_deref().map(|body| std::str::from_utf8(body).expect("UTF-8"));
    json!({
        "secret": secret(), "method": rendered.method.as_str(), "path": format!("{}{query}", url.path()),
        "headers": headers, "body": body.unwrap_or_default(), "ttl": 0,
    })
}

#[test]
fn contentfuls_toolkit_verifies_every_request_and_no_changed_one() {
    let mut good = Vec::new();
    for target in TARGETS {
        good.extend(CALLS.map(|(method, data)| seen(&rendered(target, method, data))));
    }
    assert_eq!(good.len(), 50);
    let change = |member: &'static str, value: Value| {
        good.iter().map(move |request| {
            let mut changed = request.clone();
            changed[member] = value.clone();
            changed
        })
    };
    let bad: Vec<Value> = change("body", json!("{\"sys\":{}}"))
        .chain(change("path", json!("/elsewhere?a=1&b=3")))
        .chain(change("secret", json!("x".repeat(64))))
        .collect();
    let all: Vec<Value> = good.iter().chain(&bad).cloned().collect();
    let said = verified(&all);
    assert_eq!(said.len(), all.len());
    for (request, verified) in all.iter().zip(&said).take(good.len()) {
        assert!(verified, "refused: {request}");
    }
    assert_eq!(said.iter().filter(|verified| **verified).count(), good.len(), "a changed request passed");
}

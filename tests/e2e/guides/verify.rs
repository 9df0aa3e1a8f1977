//! `docs/guides/verify-signatures.md`: every function of the page, in Node, PHP and Python, is given what was really delivered.
//! It must say true of that, and false of a changed byte, of another secret, of a call without its headers, and of one
//! that is an hour old, where the signature carries its time.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_tests::pip;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::page::{Page, printed};
use crate::official_client;
use crate::program::says;
use crate::system::{System, webhook};
use crate::target::Hit;

const PAGE: &str = "verify-signatures";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Of 64 characters, as Contentful's toolkit wants them.
const LONG: &str = "0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER_LONG: &str = "1aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-";
/// The heading under which what all functions of a language need stands.
const SHARED: &str = "Verify signatures";

/// A signature that the page verifies.
struct Scheme {
    /// The heading of its functions.
    heading: &'static str,
    /// How each language calls its function: Node, PHP, Python.
    calls: [&'static str; 3],
    /// Whether it carries its time.
    is_dated: bool,
}

const STANDARD_WEBHOOKS: Scheme = Scheme {
    heading: "Standard Webhooks",
    calls: [
        "verifyStandardWebhooks(body, headers, secret)",
        "verify_standard_webhooks($body, $headers, $secret, $now)",
        "verify_standard_webhooks(body, headers, secret)",
    ],
    is_dated: true,
};
const CONTENTFUL: Scheme = Scheme {
    heading: "Contentful",
    calls: [
        "verifyContentful(method, path, body, headers, secret)",
        "verify_contentful($method, $path, $body, $headers, $secret, $now)",
        "verify_contentful(method, path, body, headers, secret)",
    ],
    is_dated: true,
};
const CONTENTSTACK_RSA: Scheme = Scheme {
    heading: "Contentstack, RSA",
    calls: [
        "verifyContentstack(body, headers, secret)",
        "verify_contentstack($body, $headers, $secret)",
        "verify_contentstack(body, headers, secret)",
    ],
    is_dated: false,
};
const CONTENTSTACK_HMAC: Scheme = Scheme {
    heading: "Contentstack, HMAC",
    calls: [
        "verifyContentstackHmac(body, headers, secret)",
        "verify_contentstack_hmac($body, $headers, $secret, $now)",
        "verify_contentstack_hmac(body, headers, secret)",
    ],
    is_dated: true,
};
const COMETCMS: Scheme = Scheme {
    heading: "CometCMS and Contismo",
    calls: [
        r#"verifySha256(body, headers["x-cometcms-signature"], secret)"#,
        "verify_sha256($body, $headers['x-cometcms-signature'] ?? null, $secret)",
        r#"verify_sha256(body, headers.get("x-cometcms-signature"), secret)"#,
    ],
    is_dated: false,
};
const CONTISMO: Scheme = Scheme {
    heading: "CometCMS and Contismo",
    calls: [
        r#"verifySha256(body, headers["x-eventhook-signature"], secret)"#,
        "verify_sha256($body, $headers['x-eventhook-signature'] ?? null, $secret)",
        r#"verify_sha256(body, headers.get("x-eventhook-signature"), secret)"#,
    ],
    is_dated: false,
};

/// What a program around the functions does: a case per line of standard input, a verdict per line of standard output.
/// `now` moves the clock.
const NODE: &str = r#"
const realNow = Date.now;
for (const line of require("node:fs").readFileSync(0, "utf8").trim().split("\n")) {
  const { method, path, headers, secret, now, ...rest } = JSON.parse(line);
  const body = Buffer.from(rest.body, "base64");
  Date.now = () => (now === null ? realNow() : now * 1000);
  console.log(String(CALL));
}
"#;
const PHP: &str = r"
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    ['method' => $method, 'path' => $path, 'headers' => $headers, 'secret' => $secret, 'now' => $now] = $case;
    $body = base64_decode($case['body']);
    echo CALL ? 'true' : 'false', PHP_EOL;
}
";
const PYTHON: &str = r#"
import json
import sys

real_time = time.time
for line in sys.stdin:
    case = json.loads(line)
    method, path, headers, secret = (case[name] for name in ("method", "path", "headers", "secret"))
    body = base64.b64decode(case["body"])
    time.time = lambda: real_time() if case["now"] is None else case["now"]
    print(str(CALL).lower())
"#;

/// What the page asks for in Python besides Python.
fn packages() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("pip-", env!("CARGO_CRATE_NAME")));
        pip::install("tests/clients/python/requirements.txt", folder)
    })
}

/// A call as the functions get it.
fn case(hit: &Hit, secret: &str) -> Value {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("text").to_owned();
    let headers: serde_json::Map<String, Value> =
        hit.headers.iter().map(|(name, value)| (name.to_string(), json!(text(value)))).collect();
    json!({
        "method": hit.method.as_str(), "path": hit.target, "headers": headers, "secret": secret,
        "body": STANDARD.encode(&hit.body), "now": null,
    })
}

/// The good call, and what must not pass for it.
fn cases(hit: &Hit, (secret, other): (&str, &str), scheme: &Scheme) -> Vec<Value> {
    let good = case(hit, secret);
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    let mut body = hit.body.to_vec();
    body[20] ^= 1;
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let mut cases = vec![
        good.clone(),
        with("body", json!(STANDARD.encode(body))),
        with("secret", json!(other)),
        with("headers", json!({})),
    ];
    if scheme.is_dated {
        cases.push(with("now", json!(now + 3600)));
    }
    // Contentful's toolkit asks only how old a call is.
    if scheme.is_dated && scheme.heading != CONTENTFUL.heading {
        cases.push(with("now", json!(now - 3600)));
    }
    cases
}

/// What the function of each language says of each case, in the order of the languages.
async fn said(page: &Page, scheme: &Scheme, cases: &[Value]) -> [Vec<bool>; 3] {
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    let program = |language: &str, around: &str, call: &str| {
        let shared = if language == "php" { "<?php\n".to_owned() } else { page.block(SHARED, language) };
        let around = around.replace("CALL", call);
        page.shell.write(
            &format!("verify.{language}"),
            &format!("{shared}\n{}\n{around}", page.block(scheme.heading, language)),
        )
    };
    let [node, php, python] = scheme.calls;
    let node = program("js", NODE, node);
    let php = program("php", PHP, php);
    let python = program("python", PYTHON, python);
    let mut by_node = Command::new("node");
    by_node.arg(node).env("NODE_PATH", official_client::installed().join("node_modules"));
    let mut by_php = Command::new("php");
    // A warning is a fault: it would stand among the verdicts.
    by_php.args(["-d", "error_reporting=-1", "-d", "display_errors=stdout", "-f"]).arg(php);
    let mut by_python = Command::new("python3");
    by_python.arg(python).env("PYTHONPATH", packages());
    let mut said = [const { Vec::new() }; 3];
    for (verdicts, program) in said.iter_mut().zip([by_node, by_php, by_python]) {
        let (mut program, lines) = (program, lines.clone());
        let answer = says(&mut program, lines.as_bytes()).await;
        *verdicts = answer
            .lines()
            .map(|line| line.parse().unwrap_or_else(|_| panic!("{program:?} says {answer}")))
            .collect();
    }
    said
}

/// Only the first case, what was delivered, may pass, in each language.
async fn assert_only_the_delivered_passes(page: &Page, scheme: &Scheme, hit: &Hit, secrets: (&str, &str)) {
    let cases = cases(hit, secrets, scheme);
    let mut expected = vec![false; cases.len()];
    expected[0] = true;
    let expected = [expected.clone(), expected.clone(), expected];
    assert_eq!(
        said(page, scheme, &cases).await,
        expected,
        "{} {}: Node, PHP, Python",
        hit.path,
        scheme.heading
    );
}

/// A post whose texts are not plain ASCII.
fn post() -> Value {
    json!({
        "id": "post", "type": "Entry", "action": "publish", "occurredAt": "2025-05-03T12:00:00.250Z",
        "resource": { "id": "7K4p9xQ2mR", "contentType": "posts", "slug": "über \"uns\"", "locale": "de" },
        "data": { "title": "Grüße </script> 😀", "n": 1 },
    })
}

/// Makes a webhook of a dialect with a secret, publishes the post, and hands out the call.
async fn delivered(page: &Page, path: &str, dialect: &str, secret: &str) -> Hit {
    let mut hook = webhook(&page.target.url(path), &["Entry.publish"]);
    hook["dialect"] = json!(dialect);
    hook["signing"] = json!({ "secret": secret });
    page.system.webhook(&hook).await;
    page.system.accept(&post()).await;
    page.target.until(1).await;
    page.target.hits(path.split('?').next().expect("a path")).remove(0)
}

#[tokio::test]
async fn standard_webhooks_are_verified_in_every_dialect_that_has_them() {
    for dialect in ["native", "standard-webhooks", "cloudevents"] {
        let page = Page::open(PAGE).await;
        let hit = delivered(&page, "/", dialect, SECRET).await;
        assert_only_the_delivered_passes(&page, &STANDARD_WEBHOOKS, &hit, (SECRET, OTHER)).await;
    }
}

#[tokio::test]
async fn a_secret_that_is_no_base64_is_the_key_itself() {
    let page = Page::open(PAGE).await;
    let hit =
        delivered(&page, "/", "standard-webhooks", "just a text".replace(' ', "-").repeat(2).as_str()).await;
    let secret = "just-a-textjust-a-text";
    assert_only_the_delivered_passes(&page, &STANDARD_WEBHOOKS, &hit, (secret, OTHER)).await;
}

#[tokio::test]
async fn a_call_as_from_contentful_is_verified_query_and_all() {
    let page = Page::open(PAGE).await;
    let path = "/a%20b/%C3%BC(1)?q=%20x&r=y+z";
    let hit = delivered(&page, path, "contentful", LONG).await;
    assert_only_the_delivered_passes(&page, &CONTENTFUL, &hit, (LONG, OTHER_LONG)).await;
    let mut moved = vec![case(&hit, LONG); 2];
    moved[1]["path"] = json!(hit.target.replace("z", "y"));
    let expected = [[true, false]; 3].map(|verdicts| verdicts.to_vec());
    assert_eq!(said(&page, &CONTENTFUL, &moved).await, expected, "another query");
}

#[tokio::test]
async fn both_signatures_of_contentstack_are_verified() {
    let page = Page::open(PAGE).await;
    let hit = delivered(&page, "/", "contentstack", SECRET).await;
    assert_only_the_delivered_passes(&page, &CONTENTSTACK_HMAC, &hit, (SECRET, OTHER)).await;
    let keys = printed(&page.step("Contentstack, RSA").await);
    let key = keys[0]["signing-key"].as_str().expect("a key");
    let made = "openssl genrsa -traditional 2048 2> /dev/null | openssl rsa -RSAPublicKey_out 2> /dev/null";
    let other = page.shell.run(made).await;
    assert_only_the_delivered_passes(&page, &CONTENTSTACK_RSA, &hit, (key, &other)).await;
}

#[tokio::test]
async fn a_call_as_from_cometcms_is_verified() {
    let page = Page::open(PAGE).await;
    let hit = delivered(&page, "/", "cometcms", SECRET).await;
    assert_only_the_delivered_passes(&page, &COMETCMS, &hit, (SECRET, OTHER)).await;
}

#[tokio::test]
async fn a_call_as_from_contismo_is_verified() {
    let page = Page::open(PAGE).await;
    let hit = delivered(&page, "/", "contismo", SECRET).await;
    assert_only_the_delivered_passes(&page, &CONTISMO, &hit, (SECRET, OTHER)).await;
}

#[tokio::test]
async fn a_call_as_from_datocms_carries_the_header_that_is_compared() {
    let mut page = Page::open(PAGE).await;
    page.shell.export("TOKEN", "known-to-two");
    let made = json!({ "name": "Site", "url": page.target.url("/"), "topics": ["item.publish"], "dialect": "datocms" });
    page.system.call(Method::PUT, "/spaces/default/webhook_definitions/site", Some(&made)).await;
    page.step("DatoCMS").await;
    page.system.accept(&post()).await;
    page.target.until(1).await;
    assert_eq!(page.target.hits("/")[0].headers["x-webhook-token"], "known-to-two");
}

/// Puts the webhook `site` of a dialect there, with a secret.
async fn site(system: &System, url: &str, dialect: &str) {
    let mut site = webhook(url, &["Entry.publish"]);
    site["dialect"] = json!(dialect);
    site["signing"] = json!({ "secret": SECRET });
    system.call(Method::PUT, "/spaces/default/webhook_definitions/site", Some(&site)).await;
}

/// Does what the page says about rotating, and asks which of the old and the new secret verify what comes then.
async fn after_a_rotation(dialect: &str, scheme: &Scheme) -> [Vec<bool>; 3] {
    let mut page = Page::open(PAGE).await;
    page.shell.export("NEW_SECRET", OTHER);
    site(&page.system, &page.target.url("/"), dialect).await;
    // Both ways of the page: the secret that is given is rotated in last.
    let shown = page.step("Change a secret without losing a call").await;
    assert_eq!(shown.matches("shown this once").count(), 1, "the one that was drawn: {shown}");
    page.system.accept(&post()).await;
    page.target.until(1).await;
    let hit = &page.target.hits("/")[0];
    said(&page, scheme, &[case(hit, SECRET), case(hit, OTHER), case(hit, LONG)]).await
}

#[tokio::test]
async fn old_and_new_secret_verify_during_a_rotation_where_there_is_room_for_both() {
    let both = [[true, true, false]; 3].map(|verdicts| verdicts.to_vec());
    assert_eq!(after_a_rotation("standard-webhooks", &STANDARD_WEBHOOKS).await, both);
    assert_eq!(after_a_rotation("contentstack", &CONTENTSTACK_HMAC).await, both);
}

#[tokio::test]
async fn only_the_new_secret_verifies_after_a_rotation_where_there_is_room_for_one() {
    let new = [[false, true, false]; 3].map(|verdicts| verdicts.to_vec());
    assert_eq!(after_a_rotation("cometcms", &COMETCMS).await, new);
    assert_eq!(after_a_rotation("contismo", &CONTISMO).await, new);
}

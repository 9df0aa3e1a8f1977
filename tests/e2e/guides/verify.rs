//! `docs/guides/verify-signatures.md`: every function of the page, in Node, PHP and Python, is given what was really delivered.
//! It must say true of that, and false of a changed byte, of another secret, of a call without its headers, and of one
//! that is an hour old, where the signature carries its time.

use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::time::timeout;

use super::page::{Page, printed};
use super::schemes::{
    COMETCMS, CONTENTFUL, CONTENTSTACK_HMAC, CONTENTSTACK_RSA, CONTISMO, STANDARD_WEBHOOKS, Scheme,
    functions, said,
};
use crate::process::PATIENCE;
use crate::system::{System, webhook};
use crate::target::Hit;

const PAGE: &str = "verify-signatures";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Of 64 characters, as Contentful's toolkit wants them.
const LONG: &str = "0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER_LONG: &str = "1aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-0aZ+/=_-";
/// A call as the functions get it.
fn case(hit: &Hit, secret: &str) -> Value {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("text").to_owned();
    let headers: serde_json::Map<String, Value> =
        hit.headers.iter().map(|(name, value)| (name.to_string(), json!(text(value)))).collect();
    json!({
        "method": hit.method.as_str(), "path": hit.target, "headers": headers, "secret": secret,
        "body": STANDARD.encode(&hit.body), "later": 0,
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
    let mut cases = vec![
        good.clone(),
        with("body", json!(STANDARD.encode(body))),
        with("secret", json!(other)),
        with("headers", json!({})),
    ];
    if scheme.is_dated {
        cases.push(with("later", json!(3600)));
    }
    // Contentful's toolkit asks only how old a call is.
    if scheme.is_dated && scheme.heading != CONTENTFUL.heading {
        cases.push(with("later", json!(-3600)));
    }
    cases
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
    moved[1]["path"] = json!(hit.target.replace('z', "y"));
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
    page.system.until("it is on record", |balance| balance.of("delivered") == 1).await;
    page.what_the_text_names_works("post").await;
}

/// Runs the page's receiver in a language; it knows [`SECRET`]. Where it is, once it listens.
async fn receiver(page: &Page, language: &str) -> (Child, String) {
    let program =
        functions(page, &STANDARD_WEBHOOKS, language) + "\n" + &page.block("A whole receiver", language);
    let file = page.shell.write(&format!("receiver.{language}"), &program);
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let mut command = match language {
        "php" => {
            let mut php = page.shell.command("php");
            php.args(["-S", &port.to_string()]);
            php
        }
        "js" => page.shell.command("node"),
        _ => page.shell.command("python3"),
    };
    let quiet = command.arg(file).stdout(Stdio::null()).stderr(Stdio::null());
    let quiet = quiet.env("SITE_SECRET", SECRET).env("PORT", port.port().to_string());
    let child = quiet.spawn().expect("it starts");
    let listening = async {
        while TcpStream::connect(port).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, listening)
        .await
        .unwrap_or_else(|_| panic!("the receiver in {language} does not listen"));
    (child, format!("http://{port}/"))
}

#[tokio::test]
async fn the_receivers_of_the_page_take_what_is_genuine_and_refuse_everything_else() {
    let page = Page::open(PAGE).await;
    let mut running = Vec::new();
    for language in ["js", "php", "python"] {
        let (child, url) = receiver(&page, language).await;
        running.push(child);
        for (whose, secret) in [("genuine", SECRET), ("another", OTHER)] {
            let mut hook = webhook(&url, &["Entry.publish"]);
            hook["name"] = json!(format!("{whose} {language}"));
            hook["dialect"] = json!("standard-webhooks");
            hook["signing"] = json!({ "secret": secret });
            page.system.webhook(&hook).await;
        }
    }
    page.system.accept(&post()).await;
    page.system.until("all are done", |balance| balance.of("delivered") + balance.of("given_up") == 6).await;
    let explained = page.system.call(Method::GET, "/spaces/default/events/post/explain", None).await;
    for webhook in explained["webhooks"].as_array().expect("webhooks") {
        let name = webhook["name"].as_str().expect("a name");
        let expected = if name.starts_with("genuine") { 204 } else { 401 };
        assert_eq!(webhook["deliveries"][0]["calls"][0]["statusCode"], expected, "{name}");
    }
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

//! A CMS's own webhooks, as a source takes them in.

use postrider_dialects::{Dialect, Proof, Received, cometcms, dialect};
use postrider_domain::id::EventId;

use crate::samples::{noon, scope};

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
const SECRET: &str = "the secret of the source";
/// openssl dgst -sha256 -hmac 'the secret of the source'
const SIGNATURE: &str = "sha256=5bb9d47352fbec36a49f53708b423eeb6e6c135c727e0722702024d8a1c89cad";

fn named(name: &str) -> &'static dyn Dialect {
    dialect(name).expect("known")
}

fn headers(signature: &str) -> Vec<(String, String)> {
    [
        ("host", "postrider.example"),
        ("content-type", "application/json"),
        ("x-cometcms-signature", signature),
        ("authorization", "Bearer x"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// What a dialect says of a webhook: whether it is genuine, and what it reads.
fn with<T>(headers: &[(String, String)], body: &str, ask: impl FnOnce(&Received<'_>) -> T) -> T {
    let (scope, drawn) = (scope(), EventId::new("drawn").expect("an id"));
    ask(&Received {
        method: "POST",
        path: "/",
        headers,
        body,
        scope: &scope,
        now: noon(),
        secret: SECRET,
        fallback_id: &drawn,
    })
}

#[test]
fn cometcms_proves_itself_by_its_signature() {
    let comet = named("cometcms");
    assert_eq!(comet.proof(), Some(Proof::Signature { header: "X-CometCMS-Signature" }));
    let genuine = |signature: &str, body: &str| with(&headers(signature), body, |it| comet.is_genuine(it));
    assert!(genuine(SIGNATURE, PAYLOAD));
    assert!(!genuine(SIGNATURE, &PAYLOAD.replace("posts", "pages")));
    assert!(!genuine(&SIGNATURE.replace("sha256=", ""), PAYLOAD));
    assert!(!genuine("", PAYLOAD));
    assert!(!with(&[], PAYLOAD, |it| comet.is_genuine(it)), "without a header");
}

#[test]
fn cometcms_keeps_body_and_headers_as_they_came_but_none_of_the_way() {
    let headers = headers(SIGNATURE);
    let event = with(&headers, PAYLOAD, |it| named("cometcms").read(it)).expect("an event");
    assert_eq!(event.head.topic(), "Entry.publish");
    let source = event.content.source.expect("kept");
    assert_eq!((source.dialect.as_str(), source.body.as_str()), (cometcms::NAME, PAYLOAD));
    assert_eq!(source.headers, headers[1..3]);
}

#[test]
fn native_sends_a_key_and_keeps_no_second_copy() {
    let native = named("native");
    assert_eq!(native.proof(), Some(Proof::Key));
    let body = r#"{"type":"Entry","action":"publish","resource":{"id":"1"}}"#;
    let event = with(&[], body, |it| native.read(it)).expect("an event");
    assert_eq!((event.head.id.as_str(), event.content.source), ("drawn", None));
    assert!(!with(&[], body, |it| native.is_genuine(it)), "a key is not a signature");
}

#[test]
fn a_dialect_without_webhooks_of_its_own_says_who_has_them() {
    let outgoing = named("cloudevents");
    assert_eq!(outgoing.proof(), None);
    let faults = with(&[], PAYLOAD, |it| outgoing.read(it)).expect_err("nothing to read");
    assert!(faults[0].fix.contains("native, standard-webhooks, cometcms"), "{}", faults[0]);
}

#[test]
fn what_is_received_shows_neither_secret_nor_headers_when_printed() {
    let printed = with(&headers(SIGNATURE), PAYLOAD, |it| format!("{it:?}"));
    assert!(!printed.contains(SECRET) && !printed.contains("sha256="), "{printed}");
}

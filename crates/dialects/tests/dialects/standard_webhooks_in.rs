//! What a sender of Standard Webhooks signs, as a source takes it; and what another Postrider tells.

use postrider_dialects::standard_webhooks::signature;
use postrider_dialects::{Dialect, Proof, ReadErrors, Received, dialect};
use postrider_domain::event::Event;
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId};
use proptest::prelude::*;

use crate::samples::{body, events, noon, scope, secrets, webhook, write};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PAID: &str = r#"{ "type": "invoice.paid", "timestamp": "2022-11-03T20:26:10.344522Z", "data": { "id": "in_1", "b": 1.0 } }"#;

fn standard() -> &'static dyn Dialect {
    dialect("standard-webhooks").expect("known")
}

fn headers(id: &str, sent: i64, signatures: &str) -> Vec<(String, String)> {
    let sent = sent.to_string();
    [
        ("host", "postrider.example"),
        ("content-type", "application/json"),
        ("webhook-id", id),
        ("webhook-timestamp", &sent),
        ("webhook-signature", signatures),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn with<T>(headers: &[(String, String)], body: &str, ask: impl FnOnce(&Received<'_>) -> T) -> T {
    let (scope, drawn) = (elsewhere(), EventId::new("drawn").expect("an id"));
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

/// Not the space in which the samples happen.
fn elsewhere() -> Scope {
    Scope { space: SpaceId::new("shop").expect("an id"), environment: EnvironmentId::master() }
}

fn is_genuine(headers: &[(String, String)], body: &str) -> bool {
    with(headers, body, |received| standard().is_genuine(received))
}

fn read(body: &str) -> Result<Event, ReadErrors> {
    with(&headers("msg_1", 0, ""), body, |received| standard().read(received))
}

#[test]
fn one_good_signature_among_others_is_enough_and_five_minutes_are_not_too_old() {
    assert_eq!(standard().proof(), Some(Proof::Signature { header: "webhook-signature" }));
    let now = noon().unix_seconds();
    let signed = |secret: &str, at: i64| signature(secret, "msg_1", at, PAID.as_bytes()).expect("signed");
    let rotating = format!("{} v1a,x {}", signed(OTHER, now), signed(SECRET, now));
    assert!(is_genuine(&headers("msg_1", now, &rotating), PAID));
    for (id, sent, signatures, text) in [
        ("msg_2", now, rotating.clone(), PAID),
        ("msg_1", now + 1, rotating.clone(), PAID),
        ("msg_1", now, signed(OTHER, now), PAID),
        ("msg_1", now, rotating, r#"{"type":"invoice.paid"}"#),
        ("msg_1", now, String::new(), PAID),
    ] {
        assert!(!is_genuine(&headers(id, sent, &signatures), text), "{id} {sent} {signatures}");
    }
    for (off, taken) in [(-300, true), (300, true), (-301, false), (301, false)] {
        let at = now + off;
        assert_eq!(is_genuine(&headers("msg_1", at, &signed(SECRET, at)), PAID), taken, "{off} s");
    }
    assert!(!is_genuine(&[], PAID), "without headers");
}

#[test]
fn the_type_is_divided_at_its_first_dot_and_the_data_name_the_resource() {
    let event = read(PAID).expect("an event");
    assert_eq!((event.head.topic().as_str(), &event.head.scope), ("invoice.paid", &elsewhere()));
    assert_eq!(
        (event.head.resource.id.as_str(), event.content.data.as_str()),
        ("in_1", r#"{ "id": "in_1", "b": 1.0 }"#)
    );
    assert_eq!(event.head.occurred_at.to_string(), "2022-11-03T20:26:10.344Z");
    let bare = read(r#"{"type":"user.profile.updated"}"#).expect("an event");
    assert_eq!(
        (bare.head.topic().as_str(), bare.head.resource.id.as_str()),
        ("user.profile.updated", "msg_1")
    );
    assert_eq!((bare.head.occurred_at, bare.content.data.as_str()), (noon(), "null"));
}

#[test]
fn the_id_follows_the_message_not_its_attempt() {
    let id = |message: &str, sent: i64| {
        with(&headers(message, sent, ""), PAID, |received| standard().read(received))
            .expect("an event")
            .head
            .id
    };
    assert!(id("msg_1", 1).as_str().starts_with("sw-"));
    assert_eq!(id("msg_1", 1), id("msg_1", 2));
    assert_ne!(id("msg_1", 1), id("msg_2", 1));
    let unnamed = with(&[], PAID, |received| standard().read(received)).expect_err("no webhook-id");
    assert_eq!(unnamed[0].path, "webhook-id");
}

#[test]
fn what_came_in_leaves_byte_for_byte() {
    let event = read(PAID).expect("an event");
    let rendered = write(&event, &webhook("standard-webhooks"), &secrets(&[SECRET])).expect("written");
    assert_eq!(body(&rendered), PAID);
}

#[test]
fn every_fault_is_named_at_once_and_that_of_a_relayed_event_where_it_stands() {
    let paths = |text: &str| -> Vec<String> {
        read(text).expect_err("faulty").into_iter().map(|fault| fault.path).collect()
    };
    assert_eq!(paths(r#"{"type":"paid","timestamp":"now"}"#), ["/type", "/timestamp"]);
    assert_eq!(paths(r#"{"timestamp":1}"#), ["/type", "/timestamp"]);
    let relayed = r#"{"type":"Entry.publish","timestamp":"2025-05-03T12:00:00Z","data":{"type":"Entry","action":"publish","resource":{"slug":1}}}"#;
    assert_eq!(paths(relayed), ["/data/resource/id", "/data/resource/slug"]);
    let comet = read(r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{}}"#);
    assert!(comet.expect_err("another's")[0].problem.contains("looks like one of cometcms"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), at in 0..PAID.len()) {
        let _ = read(&text);
        prop_assert!(read(&PAID[..at]).is_err());
        let _ = read(&format!("{}{text}{}", &PAID[..at], &PAID[at..]));
    }

    #[test]
    fn what_another_postrider_tells_is_the_same_event_here_but_for_id_and_place(event in events()) {
        let told = write(&event, &webhook("standard-webhooks"), &secrets(&[SECRET])).expect("written");
        let back = read(body(&told)).expect("an event");
        prop_assert_eq!(&back.head.scope, &elsewhere());
        prop_assert!(back.head.id.as_str().starts_with("sw-"));
        let mut same = back.head;
        (same.scope, same.id) = (scope(), event.head.id.clone());
        same.accepted_at = event.head.accepted_at;
        prop_assert_eq!(same, event.head);
        prop_assert_eq!(back.content.data, event.content.data);
        prop_assert_eq!(back.content.previous, event.content.previous);
    }
}

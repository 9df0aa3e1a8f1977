//! Postrider's own JSON.

use postrider_dialects::native::{read, write_event};
use postrider_dialects::{ReadError, ReadErrors};
use postrider_domain::event::Event;
use postrider_domain::id::EventId;
use proptest::prelude::*;

use crate::samples::{body, events, header, message_id, noon, published, scope, secrets, webhook, write};

fn read_text(text: &str) -> Result<Event, ReadErrors> {
    read(text, &scope(), noon(), EventId::new("drawn").expect("id"))
}

fn faults(text: &str) -> Vec<String> {
    read_text(text).expect_err("it has faults").iter().map(|fault| fault.path.clone()).collect()
}

fn only_fault(text: &str) -> ReadError {
    let mut faults = read_text(text).expect_err("it has a fault");
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

#[test]
fn the_least_that_an_event_needs_is_type_action_and_a_resource_id() {
    let event =
        read_text(r#" {"type":"Entry","action":"publish","resource":{"id":"5KsD"}} "#).expect("an event");
    assert_eq!(event.head.id.as_str(), "drawn");
    assert_eq!(event.head.topic(), "Entry.publish");
    assert_eq!(event.head.occurred_at, noon());
    assert_eq!(event.content.data.as_str(), "null");
}

#[test]
fn null_counts_as_absent() {
    let text = r#"{"id":null,"type":"E","action":"a","resource":{"id":"1","slug":null,"version":null},"actor":null,
        "occurredAt":null,"related":null,"previous":null,"data":null}"#;
    let event = read_text(text).expect("an event");
    assert_eq!(event, read_text(r#"{"type":"E","action":"a","resource":{"id":"1"}}"#).expect("an event"));
    assert_eq!(faults(r#"{"type":null,"action":"a","resource":{"id":null}}"#), ["/type", "/resource/id"]);
}

#[test]
fn data_is_kept_byte_for_byte() {
    let data = r#"{ "z":1.50,  "a":"\u00e4", "a":1e2 }"#;
    let text =
        format!(r#"{{"type":"E","action":"a","resource":{{"id":"1"}},"data": {data} ,"previous":[ ]}}"#);
    let event = read_text(&text).expect("an event");
    assert_eq!(event.content.data.as_str(), data);
    assert_eq!(event.content.previous.as_ref().map(postrider_domain::json::Json::as_str), Some("[ ]"));
    assert!(write_event(&event).contains(data));
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let text = r#"{"id":"a b","type":"","action":"pub lish","occurredAt":"yesterday","resource":{"version":1.5,"colour":"red"},
        "actor":[],"related":{},"space":"other","type/x":1}"#;
    let expected = [
        "/id",
        "/space",
        "/type",
        "/action",
        "/occurredAt",
        "/resource/id",
        "/resource/version",
        "/resource/colour",
        "/actor",
        "/related",
        "/type~1x",
    ];
    assert_eq!(faults(text), expected);
}

#[test]
fn an_unknown_field_is_refused_with_the_closest_known_one() {
    let fault =
        only_fault(r#"{"type":"E","action":"a","resource":{"id":"1"},"occured_at":"2026-01-01T00:00:00Z"}"#);
    assert_eq!(fault.path, "/occured_at");
    assert!(fault.fix.contains("occurredAt"), "{fault}");
    let fault = only_fault(r#"{"type":"E","action":"a","resource":{"id":"1"},"fields":{}}"#);
    assert!(fault.fix.contains("\"data\""), "{fault}");
}

#[test]
fn a_field_given_twice_is_refused_at_every_level() {
    assert_eq!(faults(r#"{"type":"E","action":"a","action":"b","resource":{"id":"1"}}"#), ["/action"]);
    assert_eq!(faults(r#"{"type":"E","action":"a","resource":{"id":"1","id":"2"}}"#), ["/resource/id"]);
}

#[test]
fn what_is_no_json_object_is_refused_as_a_whole() {
    for bad in ["", "{", "[]", "null", "\"x\"", "{} {}", "{\"a\":}", "\u{feff}{}"] {
        let fault = only_fault(bad);
        assert_eq!(fault.path, "", "{bad}: {fault}");
    }
}

#[test]
fn deep_nesting_is_refused_however_deep() {
    let nested = |depth: usize| {
        format!(
            r#"{{"type":"E","action":"a","resource":{{"id":"1"}},"data":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert!(read_text(&nested(99)).is_ok());
    for depth in [100, 127, 128, 100_000] {
        let fault = only_fault(&nested(depth));
        assert!(fault.problem.contains("nested"), "{fault}");
    }
}

#[test]
fn texts_end_at_their_limits() {
    let with = |title: &str, url: &str| {
        read_text(&format!(
            r#"{{"type":"E","action":"a","resource":{{"id":"1","title":"{title}","url":"{url}"}}}}"#
        ))
    };
    assert!(with(&"x".repeat(1024), &"u".repeat(2048)).is_ok());
    let faults = with(&"x".repeat(1025), &"u".repeat(2049)).expect_err("too long");
    assert_eq!(faults.len(), 2);
    assert!(faults[0].problem.contains("1025"), "{}", faults[0]);
    assert!(with("a\\u0000b", "u").is_err());
}

#[test]
fn a_body_may_repeat_the_scope_it_was_sent_to() {
    let with = |space: &str| {
        read_text(&format!(
            r#"{{"type":"E","action":"a","resource":{{"id":"1"}},"space":"{space}","environment":"master"}}"#
        ))
    };
    assert!(with("blog").is_ok());
    assert!(with("other").is_err());
}

#[test]
fn an_event_leaves_compact_with_its_headers_and_no_signature_without_a_secret() {
    let rendered = write(&published(), &webhook("native"), &secrets(&[])).expect("a request");
    assert_eq!(
        body(&rendered),
        r#"{"id":"e1","space":"blog","environment":"master","type":"Entry","action":"publish","occurredAt":"2025-05-03T12:00:00.250Z","resource":{"id":"7K4p9xQ2mR","contentType":"posts","slug":"my-first-post"},"data":{ "b": 1.0, "a": "ä" }}"#
    );
    assert_eq!(header(&rendered, "content-type"), Some("application/json"));
    assert_eq!(header(&rendered, "postrider-event"), Some("e1"));
    assert_eq!(header(&rendered, "postrider-topic"), Some("Entry.publish"));
    assert_eq!(header(&rendered, "postrider-delivery"), Some(message_id().to_string().as_str()));
    assert_eq!(header(&rendered, "postrider-attempt"), Some("3"));
    assert_eq!(header(&rendered, "webhook-signature"), None);
}

proptest! {
    #[test]
    fn what_is_written_reads_back_equal(event in events()) {
        prop_assert_eq!(read_text(&write_event(&event)), Ok(event));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), json in r#"[\[\]{}":,a-z0-9\\ ]{0,60}"#) {
        let _ = read_text(&text);
        let _ = read_text(&json);
        let _ = read_text(&format!("{{\"type\":{json}}}"));
    }
}

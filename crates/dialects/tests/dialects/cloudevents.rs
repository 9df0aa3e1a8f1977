//! CloudEvents 1.0, in.

use postrider_dialects::ReadErrors;
use postrider_dialects::cloudevents::{read_binary, read_structured};
use postrider_domain::event::Event;
use proptest::prelude::*;

use crate::samples::{noon, scope};

fn structured(text: &str) -> Result<Event, ReadErrors> {
    read_structured(text, &scope(), noon())
}

fn of_type(name: &str) -> Result<Event, ReadErrors> {
    structured(&format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"{name}","subject":"r"}}"#))
}

fn paths(result: Result<Event, ReadErrors>) -> Vec<String> {
    result.expect_err("it has faults").into_iter().map(|fault| fault.path).collect()
}

#[test]
fn a_structured_event_is_read_with_its_extensions() {
    let event = structured(
        r#"{"specversion":"1.0","id":"A234","source":"https://cms.example","type":"com.example.Entry.publish",
            "subject":"5KsD","time":"2026-01-01T12:00:00Z","datacontenttype":"application/json","contenttype":"blogPost",
            "locale":"en","resourceversion":5,"actorid":"u1","workflowto":"review","causekind":"release","unheardof":true,
            "data":{ "b":1, "a":2 }}"#,
    )
    .expect("an event");
    assert_eq!(event.head.topic(), "Entry.publish");
    assert_eq!(event.head.resource.id, "5KsD");
    assert_eq!(event.head.resource.content_type.as_deref(), Some("blogPost"));
    assert_eq!(event.head.resource.version, Some(5));
    assert_eq!(event.head.occurred_at.to_string(), "2026-01-01T12:00:00.000Z");
    assert_eq!(event.head.actor.as_ref().map(|actor| actor.id.as_str()), Some("u1"));
    assert_eq!(event.head.workflow.as_ref().and_then(|flow| flow.to.as_deref()), Some("review"));
    assert_eq!(event.head.cause.as_ref().map(|cause| cause.kind.as_str()), Some("release"));
    assert_eq!(event.content.data.as_str(), r#"{ "b":1, "a":2 }"#);
}

#[test]
fn binary_mode_reads_headers_of_any_case_percent_decoded_and_the_body_as_data() {
    let headers = [
        ("Ce-Specversion", "1.0"),
        ("CE-ID", "A234"),
        ("ce-source", "https://cms.example"),
        ("ce-type", "Entry.publish"),
        ("ce-subject", "5KsD"),
        ("ce-resourcetitle", "Gr%C3%BC%C3%9Fe%20100%25"),
        ("ce-resourceversion", "7"),
        ("x-other", "1"),
    ];
    let read = |body| read_binary(headers, Some("application/json; charset=utf-8"), body, &scope(), noon());
    let event = read(" {\"a\": 1}\n").expect("an event");
    assert_eq!(event.head.resource.title.as_deref(), Some("Grüße 100%"));
    assert_eq!(event.head.resource.version, Some(7));
    assert_eq!(event.content.data.as_str(), "{\"a\": 1}");
    assert_eq!(read("").expect("an event").content.data.as_str(), "null");
    let same = structured(
        r#"{"specversion":"1.0","id":"A234","source":"https://cms.example","type":"Entry.publish","subject":"5KsD"}"#,
    );
    assert_eq!(same.expect("an event").head.id, event.head.id, "both modes name the same event");
}

#[test]
fn source_and_id_together_name_the_event() {
    let id = |source: &str, id: &str| {
        let text =
            format!(r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"E.a","subject":"r"}}"#);
        structured(&text).expect("an event").head.id
    };
    // printf '/s\0001' | sha256sum, its first half
    assert_eq!(id("/s", "1").as_str(), "ce-f8367ecadcd04ac0e0df60440a61004d");
    assert_ne!(id("/s", "1"), id("/s", "2"));
    assert_ne!(id("/s", "1"), id("/t", "1"));
    assert_ne!(id("/s", "11"), id("/s1", "1"));
}

#[test]
fn the_type_begins_at_the_first_upper_case_segment() {
    for (given, topic) in [
        ("Entry.publish", "Entry.publish"),
        ("com.example.Entry.publish", "Entry.publish"),
        ("com.example.Entry.publish.success", "Entry.publish.success"),
        ("io.Acme.v2.Entry.publish", "Acme.v2.Entry.publish"),
    ] {
        assert_eq!(of_type(given).expect("an event").head.topic(), topic);
    }
    for bad in [
        "publish",
        "com.example.entry.publish",
        "com.example.Entry",
        "Entry.",
        "Entry..x",
        "com.example.En try.x",
    ] {
        assert_eq!(paths(of_type(bad)), ["/type"], "{bad}");
    }
}

#[test]
fn without_a_subject_the_data_names_the_resource() {
    let with = |data: &str| {
        structured(&format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"E.a","data":{data}}}"#))
    };
    for (data, id) in [
        (r#"{"id":"x"}"#, "x"),
        (r#"{"sys":{"id":"y"}}"#, "y"),
        (r#"{"id":7}"#, "7"),
        (r#"{"uid":"u"}"#, "u"),
    ] {
        assert_eq!(with(data).expect("an event").head.resource.id, id);
    }
    for data in ["{}", "null", r#"{"id":{}}"#, r#"{"id":""}"#] {
        assert_eq!(paths(with(data)), ["/subject"], "{data}");
    }
}

#[test]
fn what_is_missing_is_named_at_once() {
    assert_eq!(paths(structured("{}")), ["/specversion", "/id", "/source", "/type", "/subject"]);
    let headers = [("ce-specversion", "0.3"), ("ce-id", "1"), ("ce-id", "2")];
    let faults = read_binary(headers, Some("text/plain"), "x", &scope(), noon());
    assert_eq!(
        paths(faults),
        ["ce-id", "Content-Type", "ce-specversion", "ce-source", "ce-type", "ce-subject"]
    );
}

#[test]
fn data_in_base64_is_taken_when_it_is_json() {
    let with = |part: &str| {
        structured(&format!(
            r#"{{"specversion":"1.0","id":"1","source":"/s","type":"E.a","subject":"r",{part}}}"#
        ))
    };
    // {"a":1}
    let event = with(r#""data_base64":"eyJhIjoxfQ==""#).expect("an event");
    assert_eq!(event.content.data.as_str(), r#"{"a":1}"#);
    for bad in [
        r#""data_base64":"%""#,
        r#""data_base64":"eyJh""#,
        r#""data_base64":"eyJhIjoxfQ==","datacontenttype":"image/png""#,
        r#""data_base64":"eyJhIjoxfQ==","data":1"#,
    ] {
        assert_eq!(paths(with(bad)), ["/data_base64"], "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in any::<String>(), name in "[A-Za-z.]{0,12}", value in any::<String>()) {
        let _ = structured(&text);
        let _ = of_type(&name);
        let header = format!("ce-{name}");
        let _ = read_binary([(header.as_str(), value.as_str()), ("ce-type", text.as_str())], Some(&value), &text, &scope(), noon());
    }
}

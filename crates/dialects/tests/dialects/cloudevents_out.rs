//! CloudEvents 1.0, out.

use postrider_dialects::cloudevents::{read_binary, read_structured};
use postrider_dialects::dialect;
use postrider_domain::event::{Event, EventHead};
use postrider_domain::webhook::Webhook;
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{body, events, header, noon, published, scope, secrets, webhook, write};

fn with_options(options: &[(&str, &str)]) -> Webhook {
    let mut webhook = webhook("cloudevents");
    webhook.options = options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    assert_eq!(dialect("cloudevents").expect("known").check_options(&webhook.options), Ok(()));
    webhook
}

#[test]
fn structured_mode_is_one_object_with_the_data_byte_for_byte() {
    let rendered = write(&published(), &webhook("cloudevents"), &secrets(&[])).expect("a request");
    assert_eq!(header(&rendered, "content-type"), Some("application/cloudevents+json"));
    let expected = concat!(
        r#"{"specversion":"1.0","id":"e1","source":"/spaces/blog/environments/master","type":"Entry.publish","#,
        r#""subject":"7K4p9xQ2mR","time":"2025-05-03T12:00:00.250Z","contenttype":"posts","slug":"my-first-post","#,
        r#""datacontenttype":"application/json","data":{ "b": 1.0, "a": "ä" }}"#
    );
    assert_eq!(body(&rendered), expected);
    assert_eq!(header(&rendered, "ce-id"), None);
}

#[test]
fn binary_mode_has_the_data_as_body_and_attributes_as_encoded_headers() {
    let mut event = published();
    event.head.resource.title = Some("50 % \"ä\"\n".into());
    let rendered = write(&event, &with_options(&[("mode", "binary")]), &secrets(&[])).expect("a request");
    assert_eq!(body(&rendered), r#"{ "b": 1.0, "a": "ä" }"#);
    for (name, value) in [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "e1"),
        ("ce-source", "/spaces/blog/environments/master"),
        ("ce-type", "Entry.publish"),
        ("ce-subject", "7K4p9xQ2mR"),
        ("ce-time", "2025-05-03T12:00:00.250Z"),
        ("ce-resourcetitle", "50%20%25%20%22%C3%A4%22%20"),
    ] {
        assert_eq!(header(&rendered, name), Some(value), "{name}");
    }
    assert_eq!(header(&rendered, "ce-datacontenttype"), None);
}

#[test]
fn source_and_prefix_of_the_type_are_options() {
    let options = [("source", "https://cms.example/blog"), ("typePrefix", "com.example.")];
    let rendered = write(&published(), &with_options(&options), &secrets(&[])).expect("a request");
    let whole: Value = serde_json::from_str(body(&rendered)).expect("JSON");
    assert_eq!(whole["source"], "https://cms.example/blog");
    assert_eq!(whole["type"], "com.example.Entry.publish");
    assert_eq!(
        read_structured(body(&rendered), &scope(), noon()).expect("an event").head.topic(),
        "Entry.publish"
    );
}

#[test]
fn a_repeat_is_the_same_event_and_a_secret_signs_it() {
    let sent = || write(&published(), &webhook("cloudevents"), &secrets(&["s"])).expect("a request");
    assert_eq!(sent(), sent());
    assert!(header(&sent(), "webhook-signature").is_some_and(|value| value.starts_with("v1,")));
    let unsigned = write(&published(), &webhook("cloudevents"), &secrets(&[])).expect("a request");
    assert_eq!(header(&unsigned, "webhook-signature"), None);
}

/// As an attribute can carry it: no control characters and no empty text.
fn clean(text: &str) -> Option<String> {
    let forbidden = |one: char| {
        let code = u32::from(one);
        one.is_control() || code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
    };
    let text: String = text.chars().map(|one| if forbidden(one) { ' ' } else { one }).collect();
    (!text.is_empty()).then_some(text)
}

fn carried(head: &EventHead) -> Vec<Option<String>> {
    let (resource, flow) = (&head.resource, head.workflow.as_ref());
    let (actor, cause) = (head.actor.as_ref(), head.cause.as_ref());
    [
        Some(&resource.id),
        resource.content_type.as_ref(),
        resource.slug.as_ref(),
        resource.locale.as_ref(),
        resource.title.as_ref(),
        resource.state.as_ref(),
        resource.url.as_ref(),
        actor.map(|actor| &actor.id),
        actor.and_then(|actor| actor.kind.as_ref()),
        head.branch.as_ref(),
        flow.and_then(|flow| flow.from.as_ref()),
        flow.and_then(|flow| flow.to.as_ref()),
        cause.map(|cause| &cause.kind),
        cause.and_then(|cause| cause.id.as_ref()),
        cause.and_then(|cause| cause.title.as_ref()),
        resource.version.map(|version| version.to_string()).as_ref(),
    ]
    .map(|text| text.and_then(|text| clean(text)))
    .into()
}

fn same(event: &Event, read: &Event) {
    assert_eq!(carried(&read.head), carried(&event.head));
    assert_eq!(read.head.topic(), event.head.topic());
    assert_eq!(read.head.occurred_at, event.head.occurred_at);
    assert_eq!(read.content.data, event.content.data);
}

proptest! {
    #[test]
    fn what_is_written_in_either_mode_reads_back_the_same(event in events()) {
        let rendered = write(&event, &webhook("cloudevents"), &secrets(&[])).expect("a request");
        same(&event, &read_structured(body(&rendered), &scope(), noon()).expect("an event"));
        let rendered = write(&event, &with_options(&[("mode", "binary")]), &secrets(&[])).expect("a request");
        let headers = || rendered.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        prop_assert!(headers().all(|(_, value)| value.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
        let read = read_binary(headers(), Some("application/json"), body(&rendered), &scope(), noon());
        same(&event, &read.expect("an event"));
    }
}

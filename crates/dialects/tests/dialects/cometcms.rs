//! CometCMS, in and out.

use postrider_dialects::cometcms::{read, signature, verify};
use postrider_dialects::{Dialect, RenderError, dialect};
use postrider_domain::event::Actor;
use postrider_domain::id::{EnvironmentId, Scope};
use postrider_domain::webhook::Method;
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{
    body, events, header, noon, published, scope, secrets, target, webhook, with_action, write,
};

/// `seeds/cometcms-webhooks.txt`, "Payload format", without the white space that the document adds.
const SAMPLE: &str = r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts","id":"7K4p9xQ2mR","slug":"my-first-post"}}"#;

fn cometcms() -> &'static dyn Dialect {
    dialect("cometcms").expect("known")
}

#[test]
fn the_documented_sample_is_written_to_the_byte_and_signed() {
    let rendered =
        write(&published(), &webhook("cometcms"), &secrets(&["newest", "older"])).expect("a request");
    assert_eq!(body(&rendered), SAMPLE);
    // openssl dgst -sha256 -hmac newest
    let expected = "sha256=4f8c92065c8b92a75cad915c0dfd88a7b0e440859d8744ea45bad6b21cd39915";
    assert_eq!(header(&rendered, "X-CometCMS-Signature"), Some(expected));
    assert_eq!(header(&rendered, "Content-Type"), Some("application/json"));
}

#[test]
fn without_a_secret_nothing_is_sent_and_a_webhook_is_made_with_one() {
    let error = write(&published(), &webhook("cometcms"), &secrets(&[])).expect_err("no secret");
    assert_eq!(error, RenderError::NoSecret("cometcms"));
    assert!(cometcms().needs_secret());
}

#[test]
fn a_ping_is_its_run_now() {
    let mut event = with_action("Webhook", "ping");
    event.head.actor = Some(Actor { id: "ä/1".into(), kind: Some("admin".into()) });
    let rendered = write(&event, &webhook("cometcms"), &secrets(&["s"])).expect("a request");
    let expected = concat!(
        r#"{"event":"webhook.manual","occurred_at":"2025-05-03T12:00:00Z","data":{"manual":true,"#,
        r#""triggered_by":{"id":"\u00e4/1","username":"\u00e4/1","role":"admin"}}}"#
    );
    assert_eq!(body(&rendered), expected);
    assert!(header(&rendered, "X-CometCMS-Signature").is_some());
    assert!(cometcms().expressible(&event.head).is_err(), "nobody can subscribe to it");
    let read = read(expected, &scope(), noon()).expect("an event");
    assert_eq!(read.head.topic(), "Webhook.manual");
}

#[test]
fn only_its_six_events_of_entries_can_be_said() {
    let said = |event_type, action| cometcms().expressible(&with_action(event_type, action).head).is_ok();
    for action in ["create", "save", "publish", "unpublish", "trash", "delete", "restore", "publish.success"]
    {
        assert!(said("Entry", action), "{action}");
    }
    for action in
        ["auto_save", "archive", "unarchive", "workflow_transition", "publish.start", "publish.fail"]
    {
        assert!(!said("Entry", action), "{action}");
    }
    assert!(!said("Asset", "publish"));
}

#[test]
fn leaving_the_trash_for_ever_is_silent_but_a_delete_without_trash_is_told() {
    let mut event = with_action("Entry", "delete");
    assert!(cometcms().expressible(&event.head).is_ok());
    let rendered = write(&event, &webhook("cometcms"), &secrets(&["s"])).expect("a request");
    assert!(body(&rendered).contains(r#""event":"content.deleted""#));
    event.head.resource.state = Some("trashed".into());
    assert!(cometcms().expressible(&event.head).expect_err("silent").contains("trash"));
}

#[test]
fn what_cannot_be_said_is_an_error_with_the_reason_when_written_all_the_same() {
    let mut event = published();
    event.head.resource.content_type = None;
    let error = write(&event, &webhook("cometcms"), &secrets(&["s"])).expect_err("no collection");
    assert!(matches!(error, RenderError::NotExpressible { dialect: "cometcms", .. }));
    assert!(error.to_string().contains("contentType"), "{error}");
}

#[test]
fn a_missing_slug_is_null() {
    let mut event = published();
    event.head.resource.slug = None;
    let rendered = write(&event, &webhook("cometcms"), &secrets(&["s"])).expect("a request");
    assert!(body(&rendered).ends_with(r#""slug":null}}"#));
}

#[test]
fn a_call_without_body_signs_the_empty_body() {
    let mut webhook = webhook("cometcms");
    target(&mut webhook).method = Method::Get;
    let rendered = write(&published(), &webhook, &secrets(&["s"])).expect("a request");
    assert_eq!(rendered.body, None);
    assert_eq!(header(&rendered, "Content-Type"), None);
    assert_eq!(header(&rendered, "X-CometCMS-Signature"), Some(signature("s", b"").as_str()));
}

#[test]
fn what_comes_in_from_cometcms_leaves_as_it_came() {
    let received = r#"{ "occurred_at":"2025-05-03T12:00:00Z", "event":"content.deleted",
        "data":{"type":"posts","id":"7K4p9xQ2mR","slug":"h\u00e9","extra":[1]} }"#;
    let event = read(received, &scope(), noon()).expect("an event");
    assert_eq!(event.head.topic(), "Entry.trash");
    assert_eq!(event.head.resource.content_type.as_deref(), Some("posts"));
    assert_eq!(event.head.resource.slug.as_deref(), Some("hé"));
    assert_eq!(event.head.occurred_at.to_seconds_string(), "2025-05-03T12:00:00Z");
    let rendered = write(&event, &webhook("cometcms"), &secrets(&["s"])).expect("a request");
    assert_eq!(body(&rendered), received);
}

#[test]
fn the_id_is_derived_from_environment_event_entry_and_instant() {
    let id = |text: &str| read(text, &scope(), noon()).expect("an event").head.id;
    assert_eq!(id(SAMPLE), id(&SAMPLE.replace("my-first-post", "renamed")));
    for other in [
        SAMPLE.replace("published", "updated"),
        SAMPLE.replace("7K4p9xQ2mR", "x"),
        SAMPLE.replace("12:00:00", "12:00:01"),
    ] {
        assert_ne!(id(SAMPLE), id(&other));
    }
    let staging = Scope { environment: EnvironmentId::new("staging").expect("an id"), ..scope() };
    assert_ne!(read(SAMPLE, &staging, noon()).expect("an event").head.id, id(SAMPLE));
    // Frozen: receivers of a repeat know it by this. printf 'master\000content.published\0007K4p9xQ2mR\000…' | sha256sum
    assert_eq!(id(SAMPLE).as_str(), "cc-be7884f05846619b982f147fb82e6189784a3628374cc7e6b5c68fef925fd60b");
}

#[test]
fn run_now_is_an_event_that_only_a_star_matches() {
    let text = r#"{"event":"webhook.manual","occurred_at":"2025-05-03T12:00:00Z","data":{"manual":true,"triggered_by":{"id":1}}}"#;
    let event = read(text, &scope(), noon()).expect("an event");
    assert_eq!(event.head.topic(), "Webhook.manual");
    assert!(cometcms().expressible(&event.head).is_err());
}

#[test]
fn what_cometcms_does_not_send_is_refused_with_all_faults() {
    let faults =
        read(r#"{"event":"content.exploded","occurred_at":"x","data":{"slug":1}}"#, &scope(), noon())
            .expect_err("faults");
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["/occurred_at", "/event", "/data/id", "/data/type", "/data/slug"]);
    assert!(read("{}", &scope(), noon()).is_err());
}

#[test]
fn a_signature_is_taken_from_its_secret_and_body_only() {
    let good = signature("secret", SAMPLE.as_bytes());
    assert!(verify("secret", SAMPLE.as_bytes(), &good));
    assert!(!verify("Secret", SAMPLE.as_bytes(), &good));
    assert!(!verify("secret", b"{}", &good));
    assert!(!verify("secret", SAMPLE.as_bytes(), ""));
    assert!(!verify("secret", SAMPLE.as_bytes(), &good[..good.len() - 1]));
}

proptest! {
    #[test]
    fn what_is_written_is_ascii_and_parses_back_to_the_same_texts(mut event in events()) {
        let said = with_action("Entry", "publish").head;
        (event.head.event_type, event.head.action) = (said.event_type, said.action);
        event.head.resource.content_type.get_or_insert_default();
        let rendered = write(&event, &webhook("cometcms"), &secrets(&["s"])).expect("a request");
        prop_assert!(body(&rendered).is_ascii());
        let parsed: Value = serde_json::from_str(body(&rendered)).expect("JSON");
        let resource = &event.head.resource;
        prop_assert_eq!(parsed.pointer("/data/id").and_then(Value::as_str), Some(resource.id.as_str()));
        prop_assert_eq!(parsed.pointer("/data/type").and_then(Value::as_str), resource.content_type.as_deref());
        prop_assert_eq!(parsed.pointer("/data/slug").and_then(Value::as_str), resource.slug.as_deref());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), event in any::<String>()) {
        let _ = read(&text, &scope(), noon());
        let _ = read(&SAMPLE.replace("content.published", &event), &scope(), noon());
    }
}

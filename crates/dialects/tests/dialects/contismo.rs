//! Contismo, in and out.

use postrider_dialects::contismo::{read, signature, verify};
use postrider_dialects::topics::{own_names, understand};
use postrider_dialects::{Dialect, Occasion, Proof, Received, RenderError, dialect};
use postrider_domain::event::{Event, Workflow};
use postrider_domain::id::EventId;
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Method;
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{
    body, events, header, message_id, noon, published, scope, secrets, target, webhook, with_action, write,
};

/// Ours: the document prints no payload.
const SAMPLE: &str = concat!(
    r#"{"event":"Entry Published","occurredAt":"2025-05-03T12:00:00.250Z","project":"blog","environment":"master","#,
    r#""model":"posts","entry":{"id":"7K4p9xQ2mR","slug":"my-first-post","data":{ "b": 1.0, "a": "ä" }}}"#
);
const EIGHT: [(&str, &str); 8] = [
    ("create", "Entry Created"),
    ("save", "Entry Updated"),
    ("publish", "Entry Published"),
    ("unpublish", "Entry Unpublished"),
    ("trash", "Entry Moved to Trash"),
    ("restore", "Entry Restored"),
    ("delete", "Entry Permanently Deleted"),
    ("workflow_transition", "Workflow Transitioned"),
];

fn contismo() -> &'static dyn Dialect {
    dialect("contismo").expect("known")
}

fn said(event: &Event) -> String {
    body(&write(event, &webhook("contismo"), &secrets(&[])).expect("a request")).to_owned()
}

#[test]
fn a_publish_is_written_in_our_form_marked_as_ours() {
    let rendered = write(&published(), &webhook("contismo"), &secrets(&[])).expect("a request");
    assert_eq!(body(&rendered), SAMPLE);
    assert_eq!(header(&rendered, "X-Postrider-Format"), Some("contismo-1"));
    assert_eq!(header(&rendered, "Content-Type"), Some("application/json"));
}

#[test]
fn each_of_the_eight_triggers_is_a_topic_and_an_event_under_its_own_name() {
    assert_eq!(own_names("contismo").collect::<Vec<_>>(), EIGHT.map(|(_, name)| name));
    for (action, name) in EIGHT {
        let event = with_action("Entry", action);
        assert!(contismo().expressible(&event.head).is_ok());
        assert!(said(&event).starts_with(&format!(r#"{{"event":"{name}","#)));
        let patterns = understand(name).expect("a topic");
        let takes =
            |event: &Event| patterns.iter().any(|one| one.takes(&event.head.event_type, &event.head.action));
        for (other, _) in EIGHT {
            assert_eq!(takes(&with_action("Entry", other)), other == action, "{name} and {other}");
        }
    }
}

#[test]
fn what_contismo_never_says_is_not_expressible() {
    for (event_type, action) in
        [("Entry", "auto_save"), ("Entry", "archive"), ("Entry", "publish.start"), ("Asset", "publish")]
    {
        assert!(contismo().expressible(&with_action(event_type, action).head).is_err());
    }
    let error = write(&with_action("Asset", "publish"), &webhook("contismo"), &secrets(&[]));
    assert!(matches!(error, Err(RenderError::NotExpressible { dialect: "contismo", .. })));
}

#[test]
fn a_workflow_transition_says_from_where_to_where() {
    let mut event = with_action("Entry", "workflow_transition");
    event.head.workflow = Some(Workflow { from: Some("draft".into()), to: Some("review".into()) });
    assert!(said(&event).ends_with(r#"},"workflow":{"from":"draft","to":"review"}}"#));
}

#[test]
fn a_ping_has_no_entry() {
    let body: Value = serde_json::from_str(&said(&with_action("Webhook", "ping"))).expect("JSON");
    assert_eq!((&body["event"], &body["entry"]), (&"Ping".into(), &Value::Null));
}

#[test]
fn the_project_is_the_spaces_setting_else_the_space() {
    let mut space = SpaceSettings::default();
    space.constants.project = Some("shop".into());
    let (event, webhook, none) = (published(), webhook("contismo"), OpenedSecrets::default());
    let occasion = Occasion {
        event: &event,
        webhook: &webhook,
        space: &space,
        secrets: &none,
        message_id: message_id(),
        coalesced: None,
        attempt: 1,
        now: noon(),
    };
    let rendered = contismo().write(&occasion).expect("a request");
    assert!(body(&rendered).contains(r#""project":"shop""#));
}

#[test]
fn post_put_and_patch_carry_the_body() {
    for method in [Method::Post, Method::Put, Method::Patch] {
        let mut webhook = webhook("contismo");
        target(&mut webhook).method = method;
        let rendered = write(&published(), &webhook, &secrets(&[])).expect("a request");
        assert_eq!((rendered.method, body(&rendered)), (method, SAMPLE));
    }
}

#[test]
fn it_is_signed_only_with_a_secret_and_in_the_format_of_the_option() {
    let mut webhook = webhook("contismo");
    let sent = write(&published(), &webhook, &secrets(&[])).expect("a request");
    assert_eq!(header(&sent, "X-EventHook-Signature"), None);
    let sent = write(&published(), &webhook, &secrets(&["newest", "older"])).expect("a request");
    // printf %s "$SAMPLE" | openssl dgst -sha256 -hmac newest
    let hex = "917e2c1a83d1a58a1d6d7478b85ebede3bfa87f9fac0ce2430ae2470d011a732";
    assert_eq!(header(&sent, "X-EventHook-Signature"), Some(format!("sha256={hex}").as_str()));
    for (format, expected) in [("hex", hex), ("base64", "kX4sGoPRpYodbXR4uF6+3jv6h/n6wM4kMK4kcNARpzI=")] {
        webhook.options.insert("signatureFormat".into(), format.into());
        assert_eq!(contismo().check_options(&webhook.options), Ok(()));
        let sent = write(&published(), &webhook, &secrets(&["newest"])).expect("a request");
        assert_eq!(header(&sent, "X-EventHook-Signature"), Some(expected));
        assert!(verify("newest", SAMPLE.as_bytes(), expected));
    }
    webhook.options.insert("signatureFormat".into(), "md5".into());
    assert!(contismo().check_options(&webhook.options).is_err());
}

#[test]
fn a_source_takes_its_key_or_the_signature() {
    assert_eq!(contismo().proof(), Some(Proof::Either { header: "X-EventHook-Signature" }));
    let given = signature("the source's secret", SAMPLE.as_bytes(), "sha256=hex");
    let headers = vec![("host".to_owned(), "h".to_owned()), ("x-eventhook-signature".to_owned(), given)];
    let (scope, drawn) = (scope(), EventId::new("drawn").expect("an id"));
    let received = |body| Received {
        method: "POST",
        path: "/",
        headers: &headers,
        body,
        scope: &scope,
        now: noon(),
        secret: "the source's secret",
        fallback_id: &drawn,
    };
    assert!(contismo().is_genuine(&received(SAMPLE)));
    assert!(!contismo().is_genuine(&received("{}")));
    let source = contismo().read(&received(SAMPLE)).expect("an event").content.source.expect("kept");
    assert_eq!((source.headers.as_slice(), source.body.as_str()), (&headers[1..], SAMPLE));
}

#[test]
fn what_comes_in_is_read_and_leaves_byte_for_byte() {
    let text = r#"{ "entry": {"id":"1","version":2,"state":"draft"}, "event":"workflow_transitioned",
        "workflow":{"to":"review"}, "model":"posts", "extra":1 }"#;
    let event = read(text, &scope(), noon()).expect("an event");
    assert_eq!(event.head.topic(), "Entry.workflow_transition");
    assert_eq!(event.head.workflow.as_ref().and_then(|flow| flow.to.as_deref()), Some("review"));
    assert_eq!((event.head.resource.version, event.head.occurred_at), (Some(2), noon()));
    assert_eq!(said(&event), text);
    let again = read(text, &scope(), noon()).expect("an event");
    assert_eq!(event.head.id, again.head.id);
    assert_ne!(event.head.id, read(SAMPLE, &scope(), noon()).expect("an event").head.id);
}

#[test]
fn the_webhook_of_another_cms_is_refused_naming_what_was_expected() {
    let comet =
        r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts"}}"#;
    let faults = read(comet, &scope(), noon()).expect_err("another CMS's");
    assert!(faults[0].problem.contains("looks like one of cometcms"), "{}", faults[0]);
    assert!(faults[0].fix.contains("Entry Published"), "{}", faults[0]);
    let unknown = read(r#"{"event":"Entry Exploded"}"#, &scope(), noon()).expect_err("unknown");
    let paths: Vec<_> = unknown.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["/event", "/entry"]);
    assert!(unknown[0].fix.contains("Entry Moved to Trash, Entry Restored"), "{}", unknown[0]);
    let many = r#"{"event":1,"occurredAt":"x","model":2,"workflow":3,"entry":{"slug":4}}"#;
    assert_eq!(read(many, &scope(), noon()).expect_err("faults").len(), 6);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), at in 0..SAMPLE.len()) {
        let _ = read(&text, &scope(), noon());
        prop_assume!(SAMPLE.is_char_boundary(at));
        prop_assert!(read(&SAMPLE[..at], &scope(), noon()).is_err());
        let _ = read(&format!("{}{text}{}", &SAMPLE[..at], &SAMPLE[at..]), &scope(), noon());
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_resource_and_data(mut event in events()) {
        let said_as = with_action("Entry", "save").head;
        (event.head.event_type, event.head.action) = (said_as.event_type, said_as.action);
        let back = read(&said(&event), &scope(), noon()).expect("an event");
        prop_assert_eq!(back.head.resource, event.head.resource);
        prop_assert_eq!(back.head.workflow, event.head.workflow);
        prop_assert_eq!(back.head.occurred_at, event.head.occurred_at);
        prop_assert_eq!(back.content.data, event.content.data);
    }
}

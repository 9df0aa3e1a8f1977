//! Contentstack, in and through.

use postrider_dialects::contentstack::{STAMPED, read::read, sign::hmac_signature};
use postrider_dialects::{Dialect, Proof, Received, cometcms, dialect};
use postrider_domain::event::Event;
use postrider_domain::id::{EnvironmentId, EventId, Scope};
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{body, noon, scope, secrets, webhook, write};

/// `seeds/contentstack-webhook-format.txt`, "Examples"; in three of them the missing comma, the missing resource and the
/// torn text are mended.
const ENTRY_UPDATE: &str = include_str!("../samples/contentstack/entry_update.json");
const COMMENT_UPDATE: &str = include_str!("../samples/contentstack/comment_update.json");
const ASSET_PUBLISH: &str = include_str!("../samples/contentstack/asset_publish.json");
const ENTRY_IN_RELEASE: &str = include_str!("../samples/contentstack/entry_in_release.json");
const ASSET_IN_RELEASE: &str = include_str!("../samples/contentstack/asset_in_release.json");
const RELEASE_DEPLOY: &str = include_str!("../samples/contentstack/release_deploy.json");
const PRINTED: [&str; 6] =
    [ENTRY_UPDATE, COMMENT_UPDATE, ASSET_PUBLISH, ENTRY_IN_RELEASE, ASSET_IN_RELEASE, RELEASE_DEPLOY];

fn event(text: &str) -> Event {
    read(text, &scope(), noon()).expect("an event")
}

#[test]
fn the_printed_payloads_are_read_as_what_they_are() {
    let topics = PRINTED.map(|text| event(text).head.topic());
    assert_eq!(
        topics,
        [
            "Entry.save",
            "Comment.save",
            "Asset.publish.success",
            "Entry.publish",
            "Asset.publish",
            "Release.deploy.success"
        ]
    );
}

#[test]
fn an_entry_is_read_with_all_that_the_payload_tells_of_it() {
    let head = event(ENTRY_UPDATE).head;
    let resource = &head.resource;
    assert_eq!(resource.id, "blt**************a9");
    assert_eq!(resource.content_type.as_deref(), Some("webhookcreated"));
    assert_eq!(resource.slug.as_deref(), Some("webhook-entry"));
    assert_eq!((resource.locale.as_deref(), resource.version), (Some("en-us"), Some(2)));
    assert_eq!(resource.title.as_deref(), Some("Webhook Entry"));
    assert_eq!(head.actor.as_ref().map(|actor| actor.id.as_str()), Some("blt**************33"));
    assert_eq!(head.occurred_at.to_string(), "2019-03-08T08:58:07.725Z");
    let data: Value = serde_json::from_str(event(ENTRY_UPDATE).content.data.as_str()).expect("JSON");
    assert_eq!(data["url"], "/webhook-entry");
}

#[test]
fn a_comment_has_its_writer_and_the_content_type_of_its_entry() {
    let head = event(COMMENT_UPDATE).head;
    assert_eq!(head.resource.id, "cs725e99b728f36145");
    assert_eq!(head.resource.content_type.as_deref(), Some("sample_content_type"));
    assert_eq!(head.actor.map(|actor| actor.id).as_deref(), Some("blt**************b1"));
}

#[test]
fn a_release_stands_as_the_cause_of_what_it_published() {
    let cause = event(ENTRY_IN_RELEASE).head.cause.expect("a cause");
    assert_eq!((cause.kind.as_str(), cause.title.as_deref()), ("release", Some("Release01")));
    assert_eq!(
        event(ASSET_IN_RELEASE).head.cause.and_then(|cause| cause.id).as_deref(),
        Some("blt**************11")
    );
}

#[test]
fn both_spellings_of_content_types_are_read() {
    for module in ["content types", "content_type"] {
        let text = format!(
            r#"{{"module":"{module}","api_key":"k","data":{{"content_type":{{"uid":"posts","title":"Posts"}}}},"event":"create"}}"#
        );
        let head = event(&text).head;
        assert_eq!((head.topic().as_str(), head.resource.id.as_str()), ("ContentType.create", "posts"));
        assert_eq!(head.occurred_at, noon());
    }
}

#[test]
fn all_eleven_events_are_read() {
    for (given, action) in [
        ("create", "create"),
        ("update", "save"),
        ("delete", "delete"),
        ("publish", "publish"),
        ("publish.start", "publish.start"),
        ("publish.success", "publish.success"),
        ("publish.fail", "publish.fail"),
        ("unpublish", "unpublish"),
        ("unpublish.start", "unpublish.start"),
        ("unpublish.success", "unpublish.success"),
        ("unpublish.fail", "unpublish.fail"),
    ] {
        let text = ENTRY_UPDATE.replace(r#""event": "update""#, &format!(r#""event": "{given}""#));
        let event = event(&text);
        assert_eq!(event.head.action.as_str(), action);
        let rendered = write(&event, &webhook("contentstack"), &secrets(&[])).expect("a request");
        assert!(body(&rendered).contains(&format!(r#""event":"{given}""#)), "leaves as it came: {given}");
    }
}

#[test]
fn the_prefix_of_names_that_begin_with_a_dollar_is_taken_off() {
    let text = r#"{"module":"entry","api_key":"k","data":{"entry":{"uid":"1","cs$a":[{"cs$b":1}],"cs":2}},"event":"create"}"#;
    assert_eq!(event(text).content.data.as_str(), r#"{"uid":"1","$a":[{"$b":1}],"cs":2}"#);
    let rendered = write(&event(text), &webhook("contentstack"), &secrets(&[])).expect("a request");
    assert!(body(&rendered).contains(r#""cs$a":[{"cs$b":1}]"#));
}

#[test]
fn a_repeat_has_the_same_id_and_another_change_has_another() {
    let id = |text: &str| event(text).head.id;
    let repeated = ENTRY_UPDATE.replace("08:58:07.725Z", "09:00:42.001Z");
    assert_ne!(repeated, ENTRY_UPDATE);
    assert_eq!(id(ENTRY_UPDATE), id(&repeated));
    for (from, to) in
        [("\"_version\": 2", "\"_version\": 3"), ("\"update\"", "\"publish\""), ("en-us", "de-de")]
    {
        assert_ne!(id(ENTRY_UPDATE), id(&ENTRY_UPDATE.replace(from, to)), "{to}");
    }
    let staging = Scope { environment: EnvironmentId::new("staging").expect("an id"), ..scope() };
    assert_ne!(read(ENTRY_UPDATE, &staging, noon()).expect("an event").head.id, id(ENTRY_UPDATE));
}

/// The members of an object as they stand, `triggered_at` left out.
fn unstamped(text: &str) -> (Vec<String>, Value) {
    let mut value: Value = serde_json::from_str(text).expect("JSON");
    let object = value.as_object_mut().expect("an object");
    let mut keys: Vec<_> = object.keys().cloned().collect();
    // A key's last occurrence: the ones of the envelope stand behind or before `data`, never inside a text of it.
    keys.sort_by_key(|key| place(text, key));
    for stamped in STAMPED {
        object.remove(stamped);
    }
    (keys, value)
}

/// Where a key stands at the top level.
fn place(text: &str, key: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    let bytes = text.as_bytes();
    let quoted = format!("\"{key}\"");
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let end = at + 1 + text[at + 1..].find('"').expect("closed");
                if depth == 1 && text[at..].starts_with(&quoted) {
                    return at;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    panic!("{key} is not there")
}

#[test]
fn each_printed_payload_leaves_as_it_came_in_its_own_order_but_for_its_stamp() {
    for text in PRINTED {
        let rendered = write(&event(text), &webhook("contentstack"), &secrets(&[])).expect("a request");
        assert_eq!(unstamped(body(&rendered)), unstamped(text));
        assert!(body(&rendered).contains(r#""triggered_at":"2025-05-03T12:00:00.250Z""#));
    }
}

#[test]
fn options_reshape_what_came_in_only_when_they_are_set() {
    let mut webhook = webhook("contentstack");
    webhook.options.insert("concise".into(), "true".into());
    let rendered = write(&event(ENTRY_UPDATE), &webhook, &secrets(&[])).expect("a request");
    let whole: Value = serde_json::from_str(body(&rendered)).expect("JSON");
    assert_eq!(
        whole["data"]["content_type"].to_string(),
        r#"{"title":"Webhook created","uid":"webhookcreated"}"#
    );
    assert_eq!(whole["data"]["entry"].as_object().map(serde_json::Map::len), Some(4));
}

#[test]
fn the_webhook_of_another_cms_is_refused_naming_what_was_expected() {
    let comet = r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts","id":"7"}}"#;
    let faults = read(comet, &scope(), noon()).expect_err("another CMS's");
    assert!(faults[0].problem.contains("looks like one of cometcms"), "{}", faults[0]);
    assert!(faults[0].fix.contains("module, api_key, data, event"), "{}", faults[0]);
    let faults = cometcms::read(ENTRY_UPDATE, &scope(), noon()).expect_err("not CometCMS's");
    assert!(faults[0].problem.contains("looks like one of contentstack"), "{}", faults[0]);
    assert!(faults[0].fix.contains("event, occurred_at, data"), "{}", faults[0]);
    let nobodys = read(r#"{"data":{}}"#, &scope(), noon()).expect_err("nobody's");
    let paths: Vec<_> = nobodys.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["/module", "/event", "/api_key"]);
}

#[test]
fn every_fault_is_named_at_once() {
    let text =
        r#"{"module":"?","api_key":"","data":{"entry":1},"event":"no good","triggered_at":"x","source":{}}"#;
    let faults = read(text, &scope(), noon()).expect_err("faults");
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["/api_key", "/triggered_at", "/source/type", "/module", "/event"]);
    let missing = r#"{"module":"entry","api_key":"k","data":{},"event":"create"}"#;
    assert_eq!(read(missing, &scope(), noon()).expect_err("no entry")[0].path, "/data/entry");
}

#[test]
fn a_source_takes_its_key_or_the_hmac_and_keeps_contentstacks_headers() {
    let contentstack: &dyn Dialect = dialect("contentstack").expect("known");
    assert_eq!(contentstack.proof(), Some(Proof::Either { header: "x-contentstack-hmac-signature" }));
    let secret = "the secret of the source";
    let signature = hmac_signature(&[secret.to_owned()], noon().unix_seconds(), ENTRY_UPDATE.as_bytes());
    let headers: Vec<_> =
        [("host", "h"), ("x-contentstack-hmac-signature", &signature), ("user-agent", "Contentstack")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    let (scope, drawn) = (scope(), EventId::new("drawn").expect("an id"));
    let received = |body| Received {
        method: "POST",
        path: "/",
        headers: &headers,
        body,
        scope: &scope,
        now: noon(),
        secret,
        fallback_id: &drawn,
    };
    assert!(contentstack.is_genuine(&received(ENTRY_UPDATE)));
    assert!(!contentstack.is_genuine(&received("{}")));
    let kept = contentstack.read(&received(ENTRY_UPDATE)).expect("an event").content.source.expect("kept");
    assert_eq!(kept.headers, headers[1..]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), at in 0..ENTRY_UPDATE.len(), with in any::<char>()) {
        let _ = read(&text, &scope(), noon());
        let mut damaged = ENTRY_UPDATE.to_owned();
        damaged.insert(at, with);
        let _ = read(&damaged, &scope(), noon());
        let cut = &ENTRY_UPDATE.trim_end()[..at.min(ENTRY_UPDATE.trim_end().len() - 1)];
        prop_assert!(read(cut, &scope(), noon()).is_err());
    }

    #[test]
    fn any_payload_leaves_as_the_same_json(
        fields in proptest::collection::btree_map("[a-z$]{1,8}", any::<i32>(), 0..6),
        title in any::<String>(),
        event_name in prop_oneof![Just("create"), Just("publish"), Just("unpublish.fail")],
    ) {
        let mut entry = serde_json::json!({ "uid": "1", "title": title });
        for (name, value) in fields {
            entry[name.replace('$', "cs$")] = value.into();
        }
        let mut payload = serde_json::json!({
            "triggered_at": "2020-01-01T00:00:00.000Z", "module": "entry", "api_key": "k",
            "data": { "entry": entry }, "event": event_name, "extra": [1, null],
        });
        let Ok(event) = read(&payload.to_string(), &scope(), noon()) else {
            prop_assert!(title.contains('\0') || title.len() > 1024 || payload["data"]["entry"]["uid"] != "1"
                || payload["data"]["entry"].get("url").is_some());
            return Ok(());
        };
        let rendered = write(&event, &webhook("contentstack"), &secrets(&[])).expect("a request");
        let left: Value = serde_json::from_str(body(&rendered)).expect("JSON");
        payload["triggered_at"] = noon().to_string().into();
        prop_assert_eq!(left, payload);
    }
}

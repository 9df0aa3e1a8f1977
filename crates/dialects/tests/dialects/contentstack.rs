//! Contentstack, out.

use std::collections::BTreeMap;

use postrider_dialects::contentstack::sign::{rsa_signature, verify_hmac, verify_rsa};
use postrider_dialects::contentstack::{self, NewKey, new_key};
use postrider_dialects::{Dialect, Occasion, RenderError, dialect};
use postrider_domain::event::{Cause, Event};
use postrider_domain::json::Json;
use postrider_domain::retry::RetryPolicy;
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Webhook;
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{
    body, events, header, message_id, noon, published, scope, secrets, webhook, with_action, write,
};

fn named() -> &'static dyn Dialect {
    dialect("contentstack").expect("known")
}

fn with_options(options: &[(&str, &str)]) -> Webhook {
    let mut webhook = webhook("contentstack");
    webhook.options = options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    assert_eq!(named().check_options(&webhook.options), Ok(()));
    webhook
}

fn said(event: &Event, options: &[(&str, &str)]) -> String {
    body(&write(event, &with_options(options), &secrets(&[])).expect("a request")).to_owned()
}

fn parsed(event: &Event, options: &[(&str, &str)]) -> Value {
    serde_json::from_str(&said(event, options)).expect("JSON")
}

fn event_and_status(action: &str, options: &[(&str, &str)]) -> [String; 3] {
    let body = parsed(&with_action("Entry", action), options);
    [&body["event"], &body["data"]["action"], &body["data"]["status"]]
        .map(|value| value.as_str().expect("a text").to_owned())
}

#[test]
fn a_publish_is_written_in_the_documents_order_with_everything_a_receiver_looks_at() {
    let mut event = published();
    event.content.data = Json::from_checked(r#"{ "title":"Hi", "$ref":1.0, "n":{"$x":"/"} }"#);
    event.head.resource.locale = Some("en-us".into());
    event.head.resource.version = Some(3);
    let expected = concat!(
        r#"{"module":"entry","api_key":"blog","data":{"entry":{"title":"Hi","cs$ref":1,"n":{"cs$x":"/"},"#,
        r#""url":"/my-first-post","locale":"en-us","uid":"7K4p9xQ2mR","_version":3},"content_type":{"uid":"posts"},"#,
        r#""environment":{"name":"master"},"action":"publish","status":"success","locale":"en-us"},"#,
        r#""event":"publish","triggered_at":"2025-05-03T12:00:00.250Z"}"#
    );
    assert_eq!(said(&event, &[]), expected);
}

#[test]
fn create_update_and_delete_are_said() {
    assert_eq!(event_and_status("create", &[]), ["create", "create", "success"]);
    assert_eq!(event_and_status("save", &[]), ["update", "update", "success"]);
    assert_eq!(event_and_status("delete", &[]), ["delete", "delete", "success"]);
    assert_eq!(event_and_status("trash", &[]), ["delete", "delete", "success"]);
}

#[test]
fn publish_and_unpublish_are_said_with_their_status() {
    for event in ["publish", "unpublish"] {
        assert_eq!(event_and_status(event, &[]), [event, event, "success"]);
        assert_eq!(event_and_status(&format!("{event}.success"), &[]), [event, event, "success"]);
    }
}

#[test]
fn a_start_and_a_failure_say_so_in_their_name() {
    for event in ["publish", "unpublish"] {
        for stage in ["start", "fail"] {
            let whole = format!("{event}.{stage}");
            assert_eq!(event_and_status(&whole, &[]), [whole.as_str(), event, stage]);
        }
    }
}

#[test]
fn by_option_a_success_says_so_in_its_name() {
    let suffixed = [("events", "suffixed")];
    for event in ["publish", "unpublish"] {
        let whole = format!("{event}.success");
        assert_eq!(event_and_status(&whole, &suffixed), [whole.as_str(), event, "success"]);
        assert_eq!(event_and_status(event, &suffixed)[0], whole);
    }
    assert_eq!(event_and_status("save", &suffixed)[0], "update");
}

#[test]
fn every_module_of_the_document_is_said_under_its_name() {
    for (event_type, module, key) in [
        ("Entry", "entry", "entry"),
        ("Asset", "asset", "asset"),
        ("ContentType", "content types", "content_type"),
        ("Release", "release", "release"),
        ("Comment", "comment", "comment"),
        ("GlobalField", "global_field", "global_field"),
    ] {
        let body = parsed(&with_action(event_type, "save"), &[]);
        assert_eq!(body["module"], module);
        assert_eq!(body["data"][key]["uid"], "7K4p9xQ2mR");
    }
    let option = [("contentTypeModule", "content_type")];
    assert_eq!(parsed(&with_action("ContentType", "save"), &option)["module"], "content_type");
}

#[test]
fn a_comment_names_the_content_type_of_its_entry() {
    let body = parsed(&with_action("Comment", "save"), &[]);
    assert_eq!(body["event"], "update");
    assert_eq!(body["data"]["content_type"]["uid"], "posts");
}

#[test]
fn a_release_is_deployed() {
    let body = parsed(&with_action("Release", "deploy"), &[]);
    assert_eq!([&body["module"], &body["event"]], ["release", "deploy"]);
    assert_eq!([&body["data"]["action"], &body["data"]["status"]], ["deploy", "success"]);
    let failed = parsed(&with_action("Release", "deploy.fail"), &[]);
    assert_eq!([&failed["event"], &failed["data"]["status"]], ["deploy.fail", "fail"]);
}

#[test]
fn what_a_release_brought_about_names_it_in_the_documents_order() {
    let mut event = published();
    event.head.cause =
        Some(Cause { kind: "release".into(), id: Some("blt11".into()), title: Some("Release01".into()) });
    let whole = said(&event, &[]);
    assert!(whole.starts_with(
        r#"{"event":"publish","source":{"type":"release","title":"Release01","uid":"blt11"},"data":{"entry""#
    ));
    assert!(whole.contains(r#"},"api_key":"blog","module":"entry","triggered_at":"#), "{whole}");
}

#[test]
fn what_contentstack_never_says_is_not_expressible() {
    let silent = |event_type, action| named().expressible(&with_action(event_type, action).head).is_err();
    for action in ["auto_save", "archive", "unarchive", "restore", "workflow_transition", "levitate"] {
        assert!(silent("Entry", action), "{action}");
    }
    let mut purged = with_action("Entry", "delete");
    purged.head.resource.state = Some("trashed".into());
    assert!(named().expressible(&purged.head).expect_err("silent").contains("trash"));
}

#[test]
fn data_that_is_missing_is_null_and_never_absent() {
    let mut event = published();
    event.head.resource.content_type = None;
    event.content.data = Json::from_checked("null");
    let body = parsed(&event, &[]);
    assert_eq!(body["data"]["entry"]["uid"], "7K4p9xQ2mR");
    for pointer in ["/data/content_type/uid", "/data/locale"] {
        assert_eq!(body.pointer(pointer), Some(&Value::Null), "{pointer}");
    }
    let asset = parsed(&with_action("Asset", "publish"), &[]);
    assert_eq!(asset["data"]["content_type"]["uid"], "posts");
}

#[test]
fn the_live_order_and_the_concise_payload_are_options() {
    let keys = |text: &str| {
        let order = ["triggered_at", "module", "api_key", "\"data\"", "\"event\""];
        let mut found: Vec<_> = order.iter().map(|key| (text.rfind(key), *key)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, key)| key).collect::<Vec<_>>()
    };
    let mut event = published();
    event.content.data = Json::from_checked(r#"{"uid":"u","title":"T","body":"long","_version":2}"#);
    assert_eq!(
        keys(&said(&event, &[("order", "live")])),
        ["triggered_at", "module", "api_key", "\"data\"", "\"event\""]
    );
    let concise = said(&event, &[("concise", "true")]);
    assert_eq!(keys(&concise), ["module", "api_key", "\"event\"", "triggered_at", "\"data\""]);
    let value: Value = serde_json::from_str(&concise).expect("JSON");
    assert_eq!(value["data"]["entry"].to_string(), r#"{"_version":2,"title":"T","uid":"u"}"#);
    assert_eq!(value["data"]["content_type"].to_string(), r#"{"uid":"posts"}"#);
}

#[test]
fn the_api_key_is_the_spaces_setting_else_the_space() {
    assert_eq!(parsed(&published(), &[])["api_key"], "blog");
    let mut space = SpaceSettings::default();
    space.constants.api_key = Some("blt42".into());
    let rendered = sent(&space, &OpenedSecrets::default(), &[], noon()).expect("a request");
    assert!(rendered.contains(r#""api_key":"blt42""#), "{rendered}");
}

/// The body of a publish, sent at an instant in a space with these settings.
fn sent(
    space: &SpaceSettings,
    secrets: &OpenedSecrets,
    options: &[(&str, &str)],
    now: Timestamp,
) -> Result<String, RenderError> {
    let webhook = with_options(options);
    let event = published();
    let occasion = Occasion {
        event: &event,
        webhook: &webhook,
        space,
        secrets,
        message_id: message_id(),
        coalesced: None,
        attempt: 2,
        now,
    };
    named().write(&occasion).map(|rendered| body(&rendered).to_owned())
}

#[test]
fn each_attempt_is_stamped_anew() {
    let later = noon().plus(std::time::Duration::from_secs(5));
    let space = SpaceSettings::default();
    let first = sent(&space, &OpenedSecrets::default(), &[], noon()).expect("a request");
    let second = sent(&space, &OpenedSecrets::default(), &[], later).expect("a request");
    assert_eq!(first.replace("12:00:00.250Z", "12:00:05.250Z"), second);
    assert_ne!(first, second);
    assert_eq!(contentstack::STAMPED, ["triggered_at"]);
}

fn key() -> NewKey {
    new_key().expect("a key pair")
}

#[test]
fn the_body_is_signed_with_the_spaces_key_as_the_public_half_shows() {
    let key = key();
    assert!(key.public_pem.starts_with("-----BEGIN RSA PUBLIC KEY-----\nMIIB"));
    assert!(!format!("{key:?}").contains(&key.secret));
    let opened = OpenedSecrets { space_rsa: Some(key.secret.clone()), ..OpenedSecrets::default() };
    let rendered = write(&published(), &webhook("contentstack"), &opened).expect("a request");
    let signature = header(&rendered, "X-Contentstack-Request-Signature").expect("signed");
    assert_eq!(signature.len(), "v1=".len() + 344);
    assert!(verify_rsa(&key.public_pem, body(&rendered).as_bytes(), signature));
    assert!(!verify_rsa(&key.public_pem, &body(&rendered).as_bytes()[1..], signature));
    assert!(!verify_rsa(&self::key().public_pem, body(&rendered).as_bytes(), signature));
    assert!(!verify_rsa("nonsense", b"", "v1=") && !verify_rsa(&key.public_pem, b"", ""));
    assert_eq!(header(&rendered, "x-contentstack-hmac-signature"), None);
    let keys: Value = serde_json::from_str(&contentstack::public_keys(&key.public_pem)).expect("JSON");
    assert_eq!(keys["signing-key"], key.public_pem);
}

#[test]
fn the_hmac_has_a_code_for_each_secret_of_a_rotation() {
    let rendered =
        write(&published(), &webhook("contentstack"), &secrets(&["newest", "older"])).expect("sent");
    let given = header(&rendered, "x-contentstack-hmac-signature").expect("signed");
    assert!(given.starts_with("t=1746273600,v1="), "{given}");
    assert_eq!(given.matches("v1=").count(), 2);
    let whole = body(&rendered).as_bytes();
    for secret in ["newest", "older"] {
        assert!(verify_hmac(secret, whole, given, noon()));
    }
    assert!(!verify_hmac("other", whole, given, noon()));
    assert!(!verify_hmac("newest", b"{}", given, noon()));
}

#[test]
fn an_hmac_counts_for_five_minutes() {
    let minutes = |count: u64| std::time::Duration::from_secs(count * 60);
    let given = contentstack::sign::hmac_signature(&["s".into()], noon().unix_seconds(), b"x");
    // printf '1746273600.x' | openssl dgst -sha256 -hmac s
    assert_eq!(given, "t=1746273600,v1=d6867ff2a8298874398a939dbd1f17362720180d3f0962720d52f4cae4d031ac");
    assert!(verify_hmac("s", b"x", &given, noon().plus(minutes(5))));
    assert!(!verify_hmac("s", b"x", &given, noon().plus(minutes(6))));
    assert!(!verify_hmac("s", b"x", &given, noon().minus(minutes(6))));
    for bad in ["", "t=x,v1=y", "v1=abc", "t=1746273600"] {
        assert!(!verify_hmac("s", b"x", bad, noon()), "{bad}");
    }
}

#[test]
fn a_webhook_chooses_its_signatures_and_is_told_what_it_lacks() {
    let key = key();
    let both =
        OpenedSecrets { signing: vec!["s".into()], space_rsa: Some(key.secret), ..OpenedSecrets::default() };
    let signed = |option: &str, secrets: &OpenedSecrets| {
        let rendered = write(&published(), &with_options(&[("signature", option)]), secrets)?;
        let has = |name| header(&rendered, name).is_some();
        Ok((has("X-Contentstack-Request-Signature"), has("x-contentstack-hmac-signature")))
    };
    assert_eq!(signed("auto", &both), Ok((true, true)));
    assert_eq!(signed("both", &both), Ok((true, true)));
    assert_eq!(signed("rsa", &both), Ok((true, false)));
    assert_eq!(signed("hmac", &both), Ok((false, true)));
    let none = secrets(&[]);
    assert_eq!(signed("auto", &none), Ok((false, false)));
    assert_eq!(signed("rsa", &none), Err(RenderError::NoKeyPair));
    assert_eq!(signed("hmac", &none), Err(RenderError::NoSecret("contentstack")));
    assert_eq!(rsa_signature("bm9uc2Vuc2U=", b""), Err(RenderError::KeyPair));
}

#[test]
fn it_retries_as_the_document_says_and_waits_30_s() {
    assert_eq!(Ok(named().default_policy()), RetryPolicy::named("contentstack"));
    assert_eq!(named().default_timeout().as_secs(), 30);
    let unknown = BTreeMap::from([("concise".to_owned(), "yes".to_owned())]);
    assert!(named().check_options(&unknown).is_err());
}

#[test]
fn a_number_that_javascript_cannot_hold_is_not_expressible() {
    let mut event = published();
    event.content.data = Json::from_checked(r#"{"n":1e999}"#);
    let error = write(&event, &webhook("contentstack"), &secrets(&[])).expect_err("too large");
    assert!(matches!(error, RenderError::NotExpressible { .. }));
    assert!(error.to_string().contains("1e999"), "{error}");
}

proptest! {
    /// Then the documented verifier, which signs `JSON.stringify(JSON.parse(body))`, sees the same bytes.
    #[test]
    fn what_is_written_is_what_reading_and_writing_it_again_gives(mut event in events()) {
        let said = with_action("Entry", "publish").head;
        (event.head.event_type, event.head.action) = (said.event_type, said.action);
        let rendered = write(&event, &webhook("contentstack"), &secrets(&[])).expect("a request");
        let whole: Value = serde_json::from_str(body(&rendered)).expect("JSON");
        prop_assert!(["action", "status", "locale"].iter().all(|key| whole["data"].get(key).is_some()));
        prop_assert_eq!(&whole["data"]["environment"]["name"], "master");
        let again = contentstack::read::read(body(&rendered), &scope(), noon()).expect("an event");
        let again = write(&again, &webhook("contentstack"), &secrets(&[])).expect("a request");
        prop_assert_eq!(body(&again), body(&rendered));
    }
}

//! What all requests share, and Standard Webhooks.

use postrider_dialects::request::{USER_AGENT, check_header};
use postrider_dialects::standard_webhooks::signature;
use postrider_dialects::{RenderError, dialect, names};
use postrider_domain::retry::RetryPolicy;
use postrider_domain::webhook::Method;
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{basic, body, header, message_id, noon, published, secrets, target, webhook, write};

#[test]
fn standard_webhooks_wraps_the_event_and_signs_with_every_secret_newest_first() {
    let rendered = write(&published(), &webhook("standard-webhooks"), &secrets(&["whsec_bmV3", "old"]))
        .expect("a request");
    let parsed: Value = serde_json::from_str(body(&rendered)).expect("JSON");
    assert_eq!(parsed["type"], "Entry.publish");
    assert_eq!(parsed["timestamp"], "2025-05-03T12:00:00.250Z");
    assert_eq!(parsed["data"]["resource"]["slug"], "my-first-post");
    let id = format!("msg_{}", message_id());
    assert_eq!(header(&rendered, "webhook-id"), Some(id.as_str()));
    assert!(!id.contains('.'));
    assert_eq!(header(&rendered, "webhook-timestamp"), Some("1746273600"));
    let sign =
        |secret| signature(secret, &id, noon().unix_seconds(), body(&rendered).as_bytes()).expect("signed");
    let expected = format!("{} {}", sign("new"), sign("old"));
    assert_eq!(header(&rendered, "webhook-signature"), Some(expected.as_str()));
}

#[test]
fn standard_webhooks_without_a_secret_is_an_error_that_says_so() {
    let error = write(&published(), &webhook("standard-webhooks"), &secrets(&[])).expect_err("no secret");
    assert_eq!(error, RenderError::NoSecret("standard-webhooks"));
    let error = write(&published(), &webhook("standard-webhooks"), &secrets(&["whsec_!hidden"]))
        .expect_err("no Base64");
    assert!(!error.to_string().contains("hidden"), "{error}");
}

#[test]
fn native_is_signed_when_there_is_a_secret() {
    let rendered = write(&published(), &webhook("native"), &secrets(&["s"])).expect("a request");
    let expected =
        signature("s", &format!("msg_{}", message_id()), 1_746_273_600, body(&rendered).as_bytes());
    assert_eq!(header(&rendered, "webhook-signature").map(str::to_owned), expected.ok());
}

#[test]
fn dialects_retry_as_their_documents_say() {
    let policy = |name| dialect(name).expect("known").default_policy();
    assert_eq!(policy("native"), RetryPolicy::default());
    assert_eq!(policy("cometcms"), RetryPolicy::default());
    assert_eq!(Ok(policy("standard-webhooks")), RetryPolicy::named("standard-webhooks"));
    assert_eq!(Ok(policy("datocms")), RetryPolicy::named("datocms"));
    let timeout = |name: &str| dialect(name).expect("known").default_timeout().as_secs();
    for name in names() {
        let documented = match *name {
            "datocms" => 8,
            "contentful" | "contentstack" => 30,
            _ => 15,
        };
        assert_eq!(timeout(name), documented, "{name}");
    }
}

#[test]
fn every_dialect_says_who_is_calling() {
    for name in names() {
        let rendered = write(&published(), &webhook(name), &secrets(&["s"])).expect("a request");
        let documented = match *name {
            "datocms" => "DatoCMS (datocms.com)",
            "contentstack" => "Contentstack",
            _ => USER_AGENT,
        };
        assert_eq!(header(&rendered, "user-agent"), Some(documented));
        assert_eq!(rendered.url, "https://example.com/hook");
        assert_eq!(rendered.method, Method::Post);
    }
}

#[test]
fn a_custom_header_replaces_a_default_in_any_case_and_may_come_twice() {
    let mut secrets = secrets(&[]);
    secrets.headers =
        [("user-AGENT", "mine"), ("X-A", "1"), ("x-a", "2")].map(|(n, v)| (n.into(), v.into())).into();
    let rendered = write(&published(), &webhook("native"), &secrets).expect("a request");
    let named =
        |name: &str| rendered.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name)).count();
    assert_eq!(header(&rendered, "User-Agent"), Some("mine"));
    assert_eq!(named("user-agent"), 1);
    assert_eq!(named("x-a"), 2);
}

#[test]
fn get_and_delete_carry_no_body_and_sign_none() {
    for method in [Method::Get, Method::Delete] {
        let mut webhook = webhook("native");
        target(&mut webhook).method = method;
        let rendered = write(&published(), &webhook, &secrets(&["s"])).expect("a request");
        assert_eq!((rendered.method, &rendered.body), (method, &None));
        assert_eq!(header(&rendered, "content-type"), None);
        let expected = signature("s", &format!("msg_{}", message_id()), 1_746_273_600, b"");
        assert_eq!(header(&rendered, "webhook-signature").map(str::to_owned), expected.ok());
    }
}

#[test]
fn basic_authentication_is_written_as_rfc_7617_says() {
    let mut webhook = webhook("native");
    basic(&mut webhook, "Aladdin");
    let mut secrets = secrets(&[]);
    secrets.basic_password = Some("open sesame".into());
    let rendered = write(&published(), &webhook, &secrets).expect("a request");
    // RFC 7617 §2, the example.
    assert_eq!(header(&rendered, "authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    basic(&mut webhook, "a:b");
    assert_eq!(write(&published(), &webhook, &secrets), Err(RenderError::UserName));
}

#[test]
fn headers_that_cannot_be_sent_are_refused_by_name_and_never_show_their_value() {
    for (name, value) in [
        ("X-A", "hidden\r\nX-B: 1"),
        ("X-A", "hidden\u{0}"),
        ("X-A", "hidden é"),
        ("X A", "hidden"),
        ("X-A:", "hidden"),
        ("X\n", "hidden"),
        ("", "hidden"),
        ("Ü", "hidden"),
        ("Host", "hidden"),
        ("content-LENGTH", "hidden"),
        ("Transfer-Encoding", "hidden"),
    ] {
        let mut secrets = secrets(&[]);
        secrets.headers = vec![(name.into(), value.into())];
        let error = write(&published(), &webhook("native"), &secrets).expect_err(name);
        assert!(!error.to_string().contains("hidden"), "{error}");
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    assert_eq!(check_header("X-Plain", "a\tb ~"), Ok(()));
}

#[test]
fn nothing_secret_is_in_the_debug_form() {
    let mut secrets = secrets(&["s3cr3t-signing"]);
    secrets.headers = vec![("X-Key".into(), "s3cr3t-header".into())];
    let rendered = write(&published(), &webhook("native"), &secrets).expect("a request");
    assert!(!format!("{rendered:?}").contains("s3cr3t"));
}

proptest! {
    #[test]
    fn what_passes_the_check_has_no_character_that_ends_a_line(name in any::<String>(), value in any::<String>()) {
        if check_header(&name, &value).is_ok() {
            prop_assert!(name.bytes().chain(value.bytes()).all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)));
        }
    }
}

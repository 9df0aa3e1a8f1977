//! What may be recorded.

use std::time::Duration;

use bytes::Bytes;
use postrider_dialects::Rendered;
use postrider_dialects::mask::{MASK, Mask};
use postrider_domain::call::{RECORDED_REQUEST_LIMIT, RecordedResponse};
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::webhook::Method;
use proptest::prelude::*;

use crate::samples::{basic, published, webhook, write};

const PASSWORD: &str = "pass \"word\"/1";

fn mask() -> (Mask, OpenedSecrets) {
    let mut webhook = webhook("native");
    basic(&mut webhook, "user");
    let secrets = OpenedSecrets {
        signing: vec!["whsec_YWJjZGVmZ2g=".into(), "raw signing key".into()],
        basic_password: Some(PASSWORD.into()),
        headers: vec![
            ("X-Key".into(), "k3y-value".into()),
            ("X-Plain".into(), "plain".into()),
            ("X-S".into(), "abc".into()),
        ],
        secret_headers: vec!["k3y-value".into(), "abc".into()],
        ..OpenedSecrets::default()
    };
    (Mask::new(&webhook, &secrets), secrets)
}

fn answer(body: &[u8], truncated: bool) -> RecordedResponse {
    let headers = vec![("X-Echo".into(), "got k3y-value".into())];
    RecordedResponse { status: 200, headers, body: Bytes::copy_from_slice(body), truncated }
}

#[test]
fn a_recorded_request_holds_no_secret_and_all_the_rest() {
    let mut webhook = webhook("native");
    basic(&mut webhook, "user");
    let (mask, secrets) = mask();
    let mut rendered = write(&published(), &webhook, &secrets).expect("a request");
    rendered.url.push_str("?key=k3y-value&pass=pass%20%22word%22%2F1");
    let recorded = mask.request(&rendered, Duration::from_secs(15));
    let shown = format!("{recorded:?}");
    for secret in ["k3y-value", "cGFzcyAid29yZCIvMQ", "pass%20", "dXNlcjp"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(recorded.url, "https://example.com/hook?key=•••&pass=•••");
    let value = |name: &str| {
        recorded.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(value("Authorization"), Some("Basic •••"));
    assert_eq!(value("X-Key"), Some(MASK));
    assert_eq!(value("X-Plain"), Some("plain"));
    assert!(value("webhook-signature").is_some_and(|value| value.starts_with("v1,")));
    assert_eq!(recorded.method, "POST");
}

#[test]
fn secrets_echoed_in_an_answer_are_masked_in_every_form() {
    let (mask, _) = mask();
    for form in [
        PASSWORD,
        r#"pass \"word\"/1"#,
        "pass%20%22word%22%2F1",
        "whsec_YWJjZGVmZ2g=",
        "YWJjZGVmZ2g=",
        "raw signing key",
    ] {
        let masked = mask.response(&answer(format!("<{form}> and again <{form}>").as_bytes(), false));
        assert_eq!(masked.body, "<•••> and again <•••>".as_bytes(), "{form}");
        assert_eq!(masked.headers[0].1, "got •••");
    }
}

#[test]
fn secrets_too_short_to_be_told_from_text_are_left() {
    let (mask, _) = mask();
    assert_eq!(mask.text("abc abcd"), "abc abcd");
}

#[test]
fn a_cut_answer_does_not_show_the_beginning_of_a_secret_at_its_end() {
    let (mask, _) = mask();
    assert_eq!(mask.response(&answer(b"echo: k3y-va", true)).body, "echo: •••".as_bytes());
    assert_eq!(mask.response(&answer(b"echo: k3y-va", false)).body, "echo: k3y-va".as_bytes());
    assert_eq!(mask.response(&answer(b"echo: k3y", true)).body, "echo: k3y".as_bytes());
}

#[test]
fn a_body_without_secrets_is_shared_and_a_long_one_is_cut() {
    let (mask, _) = mask();
    let rendered = Rendered {
        method: Method::Post,
        url: String::new(),
        headers: Vec::new(),
        body: Some(Bytes::from(vec![b'x'; RECORDED_REQUEST_LIMIT + 1])),
    };
    let recorded = mask.request(&rendered, Duration::ZERO);
    assert_eq!(recorded.body.len(), RECORDED_REQUEST_LIMIT);
    assert_eq!(recorded.body.as_ptr(), rendered.body.expect("a body").as_ptr(), "no copy was made");
}

#[test]
fn the_mask_does_not_print_what_it_hides() {
    assert!(!format!("{:?}", mask().0).contains("k3y"));
}

proptest! {
    #[test]
    fn no_secret_survives_wherever_it_stands(before in "[-k3yvalue ]{0,20}", after in "[-k3yvalue ]{0,20}") {
        let (mask, _) = mask();
        let text = format!("{before}k3y-value{after}");
        let body = mask.response(&answer(text.as_bytes(), false)).body;
        prop_assert!(!mask.text(&text).contains("k3y-value"));
        prop_assert_eq!(std::str::from_utf8(&body).expect("UTF-8"), mask.text(&text));
    }
}

//! The receiver's own verification, against vectors that others published or that were computed apart from this crate.

use postrider_cli::verify::{Format, Received, Verdict, verify};

fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn judge(list: &[(&str, &str)], body: &[u8], at: i64, secrets: &[&str]) -> Verdict {
    let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    verify(Received { headers: &headers(list), body, at }, &secrets)
}

/// The vector of the reference libraries (standard-webhooks/standard-webhooks, libraries/*/test).
const STANDARD: [(&str, &str); 3] = [
    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    ("webhook-timestamp", "1614265330"),
    ("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
];
const STANDARD_BODY: &[u8] = br#"{"test": 2432232314}"#;
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_AT: i64 = 1_614_265_330;

#[test]
fn the_standard_webhooks_vector_verifies() {
    let verdict = judge(&STANDARD, STANDARD_BODY, STANDARD_AT, &["other", STANDARD_SECRET]);
    assert_eq!(verdict, Verdict::Verified(Format::StandardWebhooks));
}

#[test]
fn one_changed_byte_another_secret_or_an_old_timestamp_does_not() {
    let good = |body: &[u8], at, secret| judge(&STANDARD, body, at, &[secret]).is_verified();
    assert!(good(STANDARD_BODY, STANDARD_AT + 300, STANDARD_SECRET));
    assert!(!good(br#"{"test": 2432232315}"#, STANDARD_AT, STANDARD_SECRET));
    assert!(!good(STANDARD_BODY, STANDARD_AT, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"));
    assert!(!good(STANDARD_BODY, STANDARD_AT + 301, STANDARD_SECRET));
    assert!(!good(STANDARD_BODY, STANDARD_AT - 301, STANDARD_SECRET));
}

#[test]
fn any_of_several_signatures_is_enough_and_other_versions_are_passed_over() {
    let mut list = STANDARD;
    let several = format!("v1a,AAAA v1,AAAA {}", STANDARD[2].1);
    list[2].1 = &several;
    assert!(judge(&list, STANDARD_BODY, STANDARD_AT, &[STANDARD_SECRET]).is_verified());
    list[2].1 = "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert!(!judge(&list, STANDARD_BODY, STANDARD_AT, &[STANDARD_SECRET]).is_verified());
}

/// RFC 4231, test case 2: HMAC-SHA256 with the key "Jefe".
#[test]
fn the_cometcms_signature_is_the_hex_hmac_of_the_raw_body() {
    let body = b"what do ya want for nothing?";
    let header = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let judge = |header, secrets: &[&str]| judge(&[("x-cometcms-signature", header)], body, 0, secrets);
    assert_eq!(judge(header, &["Jefe"]), Verdict::Verified(Format::CometCms));
    assert!(!judge(header, &["Jeff"]).is_verified());
    assert!(!judge(&header[7..], &["Jefe"]).is_verified());
    assert_eq!(judge(header, &[]), Verdict::NoSecret(Format::CometCms));
}

#[test]
fn a_call_without_signature_is_not_signed_and_a_missing_part_is_named() {
    assert_eq!(judge(&[("content-type", "application/json")], b"{}", 0, &["s"]), Verdict::Unsigned);
    let verdict = judge(&[STANDARD[0], STANDARD[2]], STANDARD_BODY, STANDARD_AT, &[STANDARD_SECRET]);
    assert!(verdict.to_string().contains("webhook-timestamp is missing"), "{verdict}");
}

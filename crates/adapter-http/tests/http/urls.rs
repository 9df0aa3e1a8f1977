//! URLs that are refused before any connection.

use postrider_adapter_http::guard::{Guard, Guards, Refused, check_url};
use postrider_domain::webhook::PlainHttp;
use proptest::prelude::*;

fn check(text: &str, plain: PlainHttp) -> Result<(), Refused> {
    let guards = Guards { https: Guard::for_https(&[]), http: Guard::for_http(plain, &[]) };
    check_url(text, plain, &guards).map(|_| ())
}

fn refused(text: &str) -> Refused {
    check(text, PlainHttp::Always).expect_err(text)
}

#[test]
fn ordinary_urls_pass() {
    for good in [
        "https://example.com/hook?key=1",
        "https://example.com:8443/",
        "HTTPS://EXAMPLE.COM",
        "https://bücher.example/",
        "https://example.com./",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/",
        "http://example.com/",
    ] {
        assert_eq!(check(good, PlainHttp::Always), Ok(()), "{good}");
    }
}

#[test]
fn a_literal_is_judged_in_every_notation() {
    for bad in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "0xa9.0xfe.0xa9.0xfe",
        "2852039166",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fd00::1]",
        "[fe80::1]",
    ] {
        let error = refused(&format!("https://{bad}/"));
        assert!(matches!(error, Refused::Blocked(_)), "{bad}: {error}");
    }
}

#[test]
fn other_schemes_user_info_zones_and_nonsense_are_refused() {
    for scheme in ["ftp", "file", "gopher", "javascript", "ws"] {
        assert!(matches!(refused(&format!("{scheme}://example.com/")), Refused::Scheme(_)), "{scheme}");
    }
    for bad in
        ["https://user@example.com/", "https://user:s3cret@example.com/", "https://:s3cret@example.com/"]
    {
        let error = refused(bad);
        assert_eq!(error, Refused::UserInfo);
        assert!(!error.to_string().contains("s3cret"));
    }
    for bad in [
        "",
        "example.com",
        "/hook",
        "https://",
        "https:// /",
        "https://a b/",
        "https://[fe80::1%25eth0]/",
        "https://[::1",
        "https://example.com:99999/",
        "https://256.0.0.1/",
    ] {
        assert!(matches!(refused(bad), Refused::NotAUrl(_)), "{bad}: {}", refused(bad));
    }
    assert_eq!(refused("https://example.com:0/"), Refused::Port);
}

#[test]
fn plain_http_is_refused_by_default_and_the_setting_named() {
    let error = check("http://example.com/", PlainHttp::Never).expect_err("no plain http");
    assert_eq!(error, Refused::PlainHttp);
    assert!(error.to_string().contains("outbound.plain_http"), "{error}");
    assert_eq!(check("http://127.0.0.1:8080/", PlainHttp::Loopback), Ok(()));
    assert_eq!(check("http://[::1]:8080/", PlainHttp::Loopback), Ok(()));
    let error = check("http://1.1.1.1/", PlainHttp::Loopback).expect_err("not this machine");
    assert!(error.to_string().contains("outbound.plain_http"), "{error}");
    assert!(
        check("https://127.0.0.1/", PlainHttp::Loopback).is_err(),
        "https to loopback needs the allow-list"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic_or_pass_a_loopback_literal(text in any::<String>(), host in "[0-9a-fx.:\\[\\]%]{1,24}") {
        let _ = check(&text, PlainHttp::Always);
        let url = format!("https://{host}/");
        if check(&url, PlainHttp::Always).is_ok() {
            let parsed = url::Url::parse(&url).expect("it passed");
            let literal = matches!(parsed.host(), Some(url::Host::Ipv4(one)) if one.is_loopback());
            prop_assert!(!literal, "{}", url);
        }
    }
}

//! Whom the guard lets a webhook call: every kind of address, every notation of a literal, every setting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use postrider_adapter_http::address::{BLOCKED_V4, BLOCKED_V6, judge};
use postrider_adapter_http::guard::{Guard, Guards, Refused, check_url};
use postrider_domain::webhook::PlainHttp;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn public_addresses_may_be_called() {
    for good in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "168.63.129.15",
        "2606:4700:4700::1111",
        "2a00:1450:4001:81b::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2001:200::1",
    ] {
        assert_eq!(judge(ip(good)), Ok(()), "{good}");
    }
}

#[test]
fn everything_else_may_not_and_the_rule_is_named() {
    for (bad, rule) in [
        ("0.0.0.0", "0.0.0.0/8"),
        ("10.255.255.255", "10.0.0.0/8"),
        ("100.64.0.1", "carrier-grade"),
        ("100.100.100.200", "carrier-grade"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "Azure"),
        ("169.254.169.254", "metadata"),
        ("172.16.0.1", "172.16.0.0/12"),
        ("172.31.255.255", "172.16.0.0/12"),
        ("192.0.0.192", "192.0.0.0/24"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4"),
        ("192.168.1.1", "192.168.0.0/16"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::ffff:0:10.0.0.1", "10.0.0.0/8"),
        ("64:ff9b::169.254.169.254", "metadata"),
        ("64:ff9b::10.0.0.1", "10.0.0.0/8"),
        ("64:ff9b:1::8.8.8.8", "local NAT64"),
        ("2002:7f00:1::1", "loopback"),
        ("2002:a9fe:a9fe::", "metadata"),
        ("2a00:1450::5efe:10.0.0.1", "10.0.0.0/8"),
        ("2a00:1450::200:5efe:192.168.0.1", "192.168.0.0/16"),
        ("100::1", "discard"),
        ("2001::1", "Teredo"),
        ("2001:10::1", "IETF"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("5f00::1", "segment routing"),
        ("fd00:ec2::254", "unique local"),
        ("fc00::1", "unique local"),
        ("fe80::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("4000::1", "not public"),
        ("64:ff9b:2::1", "not public"),
    ] {
        let blocked = judge(ip(bad)).expect_err(bad);
        assert!(blocked.rule.contains(rule), "{bad}: {}", blocked.rule);
        assert!(blocked.to_string().contains(&ip(bad).to_string()));
    }
}

#[test]
fn an_allowed_network_is_let_through_and_no_other() {
    let allow: Vec<IpNet> = vec!["10.1.0.0/16".parse().expect("net"), "fd00:1::/32".parse().expect("net")];
    let guard = Guard::for_https(&allow);
    for good in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00:1::5", "1.1.1.1"] {
        assert_eq!(guard.judge(ip(good)), Ok(()), "{good}");
    }
    for bad in ["10.2.0.1", "127.0.0.1", "fd00:2::1"] {
        assert!(guard.judge(ip(bad)).is_err(), "{bad}");
    }
}

#[test]
fn plain_http_on_loopback_reaches_this_machine_and_nothing_else() {
    let guard = Guard::for_http(PlainHttp::Loopback, &["10.0.0.0/8".parse().expect("net")]);
    for good in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(guard.judge(ip(good)), Ok(()), "{good}");
    }
    for bad in ["1.1.1.1", "10.0.0.1", "0.0.0.0", "::", "2606:4700:4700::1111"] {
        let blocked = guard.judge(ip(bad)).expect_err(bad);
        assert!(blocked.rule.contains("outbound.plain_http"), "{}", blocked.rule);
    }
    let always = Guard::for_http(PlainHttp::Always, &[]);
    assert!(always.judge(ip("127.0.0.1")).is_err(), "always means public receivers");
    assert_eq!(always.judge(ip("1.1.1.1")), Ok(()));
}

/// Any address inside a network, from any bits.
fn inside_v4(at: usize, bits: u32) -> Ipv4Addr {
    let net = BLOCKED_V4[at % BLOCKED_V4.len()].0;
    Ipv4Addr::from(u32::from(net.network()) | (bits & u32::from(net.hostmask())))
}

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
    fn every_address_inside_a_blocked_network_is_blocked(at in 0_usize..64, low in any::<u32>(), bits in any::<u128>()) {
        prop_assert!(judge(inside_v4(at, low).into()).is_err());
        let net = BLOCKED_V6[at % BLOCKED_V6.len()].0;
        let address = Ipv6Addr::from(u128::from(net.network()) | (bits & u128::from(net.hostmask())));
        prop_assert!(judge(address.into()).is_err(), "{}", address);
    }

    #[test]
    fn no_disguise_helps_a_blocked_ipv4_address(at in 0_usize..64, low in any::<u32>(), rest in any::<u64>()) {
        let plain = inside_v4(at, low);
        let bits = u128::from(u32::from(plain));
        let prefix = |text: &str| u128::from(text.parse::<Ipv6Addr>().expect("an address"));
        for disguised in [
            prefix("::ffff:0:0") | bits,
            prefix("::ffff:0:0:0") | bits,
            prefix("64:ff9b::") | bits,
            prefix("2002::") | (bits << 80) | u128::from(rest),
            (u128::from(rest) << 64) | (0x5efe << 32) | bits,
            (u128::from(rest) << 64) | (0x0200_5efe << 32) | bits,
        ] {
            let disguised = Ipv6Addr::from(disguised);
            prop_assert!(judge(disguised.into()).is_err(), "{} as {}", plain, disguised);
        }
    }

    #[test]
    fn a_mapped_address_is_judged_as_the_one_it_stands_for(bits in any::<u32>()) {
        let plain = Ipv4Addr::from(bits);
        let verdict = |address: IpAddr| judge(address).map_err(|blocked| blocked.rule);
        prop_assert_eq!(verdict(plain.into()), verdict(plain.to_ipv6_mapped().into()));
    }

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

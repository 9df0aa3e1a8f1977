//! Contentful's signature: made by the dialect, verified by a reading of its description.

use hmac::{Hmac, KeyInit, Mac};
use postrider_dialects::Rendered;
use postrider_dialects::contentful::signature::{Request, TOLERANCE, sign, verify};
use postrider_domain::json::Json;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Method;
use proptest::prelude::*;
use sha2::Sha256;

use crate::samples::{body, header, noon, published, secrets, target, webhook, write};

/// A request as a receiver sees it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn of(rendered: &Rendered) -> Self {
        let url = url::Url::parse(&rendered.url).expect("a URL");
        let path = url.as_str().strip_prefix(&url[..url::Position::BeforePath]).expect("a path");
        let path = path.split('#').next().expect("a first part").to_owned();
        let headers = rendered.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        Self {
            method: rendered.method.as_str().into(),
            path,
            headers: headers.collect(),
            body: body(rendered).into(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(given, _)| given == name);
        &found.expect("the header is there").1
    }

    fn ours(&self, secret: &str) -> bool {
        let request = Request {
            method: &self.method,
            path: &self.path,
            headers: &self.headers,
            body: self.body.as_bytes(),
        };
        verify(secret, &request, noon())
    }
}

/// The description, step by step, without a line of the dialect: what is signed, and whether the signature fits.
fn described(secret: &str, seen: &Seen) -> bool {
    let names: Vec<&str> = seen.header("x-contentful-signed-headers").split(',').collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    if names != sorted
        || !names.contains(&"x-contentful-timestamp")
        || names.contains(&"x-contentful-signature")
    {
        return false;
    }
    let headers: Vec<String> =
        names.iter().map(|name| format!("{name}:{}", seen.header(name).trim())).collect();
    let path = match seen.path.split_once('?') {
        None => percent(&seen.path, ";,/?:@&=+$-_.!~*'()#"),
        Some((path, "")) => percent(path, ";,/?:@&=+$-_.!~*'()#"),
        Some((path, query)) => {
            let query = query.split('?').next().unwrap_or_default();
            percent(&format!("{path}?{}", percent(query, "-_.!~*'()")), ";,/?:@&=+$-_.!~*'()#")
        }
    };
    let signed = [seen.method.as_str(), &path, &headers.join(";"), &seen.body].join("\n");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(signed.as_bytes());
    hex::encode(mac.finalize().into_bytes()) == seen.header("x-contentful-signature")
}

fn percent(text: &str, kept: &str) -> String {
    let byte = |byte: u8| {
        let one = char::from(byte);
        if one.is_ascii_alphanumeric() || (one.is_ascii() && kept.contains(one)) {
            one.to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

fn rendered(url: &str, method: Method, data: &str, custom: &[(String, String)]) -> Rendered {
    let mut event = published();
    event.content.data = Json::from_checked(data);
    let mut webhook = webhook("contentful");
    target(&mut webhook).url = url.into();
    target(&mut webhook).method = method;
    let mut secrets = secrets(&[]);
    secrets.space_signing = Some("s".repeat(64));
    secrets.headers = custom.to_vec();
    write(&event, &webhook, &secrets).expect("a request")
}

#[test]
fn the_webhooks_own_secret_wins_over_that_of_the_space() {
    let signed_by = |own: &[&str]| {
        let mut secrets = secrets(own);
        secrets.space_signing = Some("s".repeat(64));
        let rendered = write(&published(), &webhook("contentful"), &secrets).expect("a request");
        let seen = Seen::of(&rendered);
        ["own", &"s".repeat(64)].map(|secret| described(secret, &seen))
    };
    assert_eq!(signed_by(&[]), [false, true]);
    assert_eq!(signed_by(&["own", "older"]), [true, false]);
}

#[test]
fn every_header_that_we_set_is_signed_and_each_attempt_anew() {
    let rendered =
        rendered("https://h.example/a?b=c", Method::Post, "{}", &[("X-Mine".into(), " m ".into())]);
    let names = header(&rendered, "X-Contentful-Signed-Headers").expect("there");
    for (name, _) in &rendered.headers {
        let signed = names.split(',').any(|signed| name.eq_ignore_ascii_case(signed));
        assert_eq!(signed, !name.eq_ignore_ascii_case("x-contentful-signature"), "{name}");
    }
    assert!(names.contains("x-contentful-webhook-request-attempt"), "so that it is signed again each time");
    assert_eq!(header(&rendered, "X-Contentful-Timestamp"), Some(noon().unix_ms().to_string().as_str()));
}

#[test]
fn what_came_along_on_the_way_is_not_signed_and_does_no_harm() {
    let mut seen = Seen::of(&rendered("https://h.example/", Method::Post, "{}", &[]));
    seen.headers.push(("traceparent".into(), "00-x".into()));
    seen.headers.push(("host".into(), "h.example".into()));
    assert!(described(&"s".repeat(64), &seen) && seen.ours(&"s".repeat(64)));
}

#[test]
fn a_signature_counts_five_minutes_either_way() {
    let headers = vec![("x-a".to_owned(), "1".to_owned())];
    let request = Request { method: "POST", path: "/", headers: &headers, body: b"{}" };
    let mut signed = headers.clone();
    signed.extend(sign("s", &request, noon()));
    let seen = Request { headers: &signed, ..request };
    let millisecond = std::time::Duration::from_millis(1);
    for (now, counts) in [
        (noon(), true),
        (noon().plus(TOLERANCE), true),
        (noon().minus(TOLERANCE), true),
        (noon().plus(TOLERANCE + millisecond), false),
        (noon().minus(TOLERANCE + millisecond), false),
        (Timestamp::from_unix_ms(i64::MAX), false),
    ] {
        assert_eq!(verify("s", &seen, now), counts, "{now:?}");
    }
    for missing in ["X-Contentful-Timestamp", "X-Contentful-Signed-Headers", "X-Contentful-Signature"] {
        let rest: Vec<_> = signed.iter().filter(|(name, _)| name != missing).cloned().collect();
        assert!(!verify("s", &Request { headers: &rest, ..request }, noon()), "without {missing}");
    }
}

#[test]
fn a_signed_url_that_is_none_is_an_error_that_says_so() {
    let mut webhook = webhook("contentful");
    target(&mut webhook).url = "https://".into();
    let error = write(&published(), &webhook, &secrets(&["s"])).expect_err("no URL");
    assert!(error.to_string().starts_with("the URL cannot be called"), "{error}");
}

/// URLs with a path and maybe a query, in any notation, no second question mark.
fn urls() -> impl Strategy<Value = String> {
    let piece = "[a-zA-Z0-9 ü%=&+;:@!$'()*,._~/-]{0,12}";
    (piece, proptest::option::of(piece)).prop_map(|(path, query)| {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("https://h.example/{path}{query}")
    })
}

fn methods() -> impl Strategy<Value = Method> {
    proptest::sample::select(&Method::ALL[..])
}

fn customs() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(("X-[A-Za-z0-9]{1,6}", "[ -~]{0,10}"), 0..4)
}

proptest! {
    #[test]
    fn a_reader_of_the_description_accepts_every_request(url in urls(), method in methods(), text in any::<String>(), custom in customs()) {
        let data = serde_json::json!({ "text": text }).to_string();
        let seen = Seen::of(&rendered(&url, method, &data, &custom));
        prop_assert!(described(&"s".repeat(64), &seen), "{:?}", seen);
        let once = |name: &str| custom.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count() < 2;
        if custom.iter().all(|(name, _)| once(name)) {
            prop_assert!(seen.ours(&"s".repeat(64)), "{:?}", seen);
        }
    }

    #[test]
    fn any_changed_byte_is_refused(url in urls(), at in any::<prop::sample::Index>(), by in 1_u8..26) {
        let seen = Seen::of(&rendered(&url, Method::Post, r#"{"a":"bcdefg"}"#, &[("X-Mine".into(), "value".into())]));
        let secret = "s".repeat(64);
        prop_assert!(seen.ours(&secret));
        let changed = |text: &str| -> Option<String> {
            // Another letter in the place of a letter or digit: what it is joined or trimmed with stays.
            let places: Vec<usize> = text.char_indices().filter(|(_, one)| one.is_ascii_alphanumeric()).map(|(at, _)| at).collect();
            let place = *places.get(at.index(places.len().max(1)))?;
            let old = text.as_bytes()[place];
            let new = b'a' + (old.wrapping_add(by)) % 26;
            if new == old { return None; }
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] = new;
            String::from_utf8(bytes).ok()
        };
        let mut tries = Vec::new();
        tries.extend(changed(&seen.body).map(|body| Seen { body, ..seen.clone() }));
        tries.extend(changed(&seen.path).map(|path| Seen { path, ..seen.clone() }));
        tries.push(Seen { method: "PUT".into(), ..seen.clone() });
        for index in 0..seen.headers.len() {
            let mut other = seen.clone();
            let Some(value) = changed(&other.headers[index].1) else { continue };
            other.headers[index].1 = value;
            tries.push(other);
        }
        for other in tries {
            prop_assert!(!other.ours(&secret), "{:?}", other);
            prop_assert!(!described_or_missing(&secret, &other), "{:?}", other);
        }
        prop_assert!(!seen.ours(&"t".repeat(64)));
    }

    #[test]
    fn no_headers_make_the_verifier_panic(headers in proptest::collection::vec((any::<String>(), any::<String>()), 0..5), path in any::<String>()) {
        let mut headers = headers;
        for name in ["x-contentful-signature", "x-contentful-signed-headers", "x-contentful-timestamp"] {
            headers.push((name.into(), path.clone()));
        }
        let request = Request { method: "POST", path: &path, headers: &headers, body: b"" };
        let counts = verify("s", &request, noon());
        prop_assert!(!counts);
    }
}

/// The description, for requests whose list of names may have been changed to names that are not there.
fn described_or_missing(secret: &str, seen: &Seen) -> bool {
    let there = |name: &str| seen.headers.iter().any(|(given, _)| given == name);
    seen.header("x-contentful-signed-headers").split(',').all(there) && described(secret, seen)
}

//! Contentful's signature of a whole request, made and verified (source: npm @contentful/node-apps-toolkit 3.16.1,
//! lib/requests, with whose `verifyRequest` every request here is checked).
//!
//! Signed is `METHOD\nPATH\nHEADERS\nBODY` with HMAC-SHA256 under the secret's UTF-8 text, in lower-case hex:
//! - PATH is `encodeURI(path)`, or with a query `encodeURI(path + "?" + escape(query))`, so a query is encoded twice; a
//!   second question mark ends the query, and what follows is not signed.
//! - HEADERS are `name:value`, trimmed, names in lower case and in their order, joined by `;`. Two of them are made here:
//!   `x-contentful-timestamp` (ms since 1970) and `x-contentful-signed-headers` (all signed names, joined by commas).
//! - BODY is the empty text where there is none.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use subtle::ConstantTimeEq;

use crate::hash::hmac_sha256;

/// The header that carries the signature.
pub const SIGNATURE: &str = "X-Contentful-Signature";
/// The header that names what is signed.
pub const SIGNED_HEADERS: &str = "X-Contentful-Signed-Headers";
/// The header that says when it was signed.
pub const TIMESTAMP: &str = "X-Contentful-Timestamp";
/// How far a signature's time may lie from now, in either direction. Contentful's own helper allows 30 s; a webhook may
/// wait longer in front of a busy door, and clocks differ.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// A request as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Path and query as they stand in the request line.
    pub path: &'a str,
    /// Names in any case.
    pub headers: &'a [(String, String)],
    /// Empty where there is none.
    pub body: &'a [u8],
}

/// The three headers that sign a request: timestamp, signed names, signature. Every header is signed but those given
/// more than once, which receivers join in different ways.
pub fn sign(secret: &str, request: &Request<'_>, at: Timestamp) -> [(String, String); 3] {
    let mut signed = BTreeMap::new();
    for (name, value) in request.headers {
        let name = name.trim().to_ascii_lowercase();
        let once =
            request.headers.iter().filter(|(other, _)| other.trim().eq_ignore_ascii_case(&name)).count() == 1;
        if once && name != SIGNATURE.to_ascii_lowercase() {
            signed.insert(name, value.trim().to_owned());
        }
    }
    let timestamp = at.unix_ms().to_string();
    let (names, signature) = seal(secret, request, signed, &timestamp);
    [(TIMESTAMP.to_owned(), timestamp), (SIGNED_HEADERS.to_owned(), names), (SIGNATURE.to_owned(), signature)]
}

/// Whether a received request carries a signature that counts now. Takes the same time wherever the two differ.
pub fn verify(secret: &str, request: &Request<'_>, now: Timestamp) -> bool {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.headers {
        // A name that comes twice is one list (RFC 9110 §5.3).
        let joined = headers.entry(name.trim().to_ascii_lowercase()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(value.trim());
    }
    let header = |name: &str| headers.get(&name.to_ascii_lowercase()).map(String::as_str);
    let (Some(given), Some(names), Some(timestamp)) =
        (header(SIGNATURE), header(SIGNED_HEADERS), header(TIMESTAMP))
    else {
        return false;
    };
    let in_time = timestamp.parse().is_ok_and(|ms| {
        let at = Timestamp::from_unix_ms(ms);
        at.since(now).max(now.since(at)) <= TOLERANCE
    });
    let mut listed: Vec<&str> = names.split(',').collect();
    let signed = headers.iter().filter(|(name, _)| listed.contains(&name.as_str()));
    let signed = signed.map(|(name, value)| (name.clone(), value.clone())).collect();
    let (signed_names, expected) = seal(secret, request, signed, timestamp);
    // A list that names more or less than was signed is not the one that was signed.
    listed.sort_unstable();
    let all_there = listed.join(",") == signed_names;
    let genuine: bool = expected.as_bytes().ct_eq(given.as_bytes()).into();
    in_time && all_there && genuine
}

/// Adds the two headers that belong to the signature; hands out the signed names and the signature.
fn seal(
    secret: &str,
    request: &Request<'_>,
    mut signed: BTreeMap<String, String>,
    timestamp: &str,
) -> (String, String) {
    let own = [TIMESTAMP, SIGNED_HEADERS].map(str::to_ascii_lowercase);
    for name in &own {
        signed.insert(name.clone(), String::new());
    }
    let names = signed.keys().map(String::as_str).collect::<Vec<_>>().join(",");
    let [at, list] = own;
    signed.insert(at, timestamp.to_owned());
    signed.insert(list, names.clone());
    let headers: Vec<String> = signed.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    let head = format!("{}\n{}\n{}\n", request.method, canonical_path(request.path), headers.join(";"));
    (names, hex::encode(hmac_sha256(secret.as_bytes(), &[head.as_bytes(), request.body])))
}

/// A path as it is signed.
fn canonical_path(path: &str) -> String {
    let mut pieces = path.split('?');
    let (path, query) = (pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
    if query.is_empty() {
        return encode(path, URI);
    }
    encode(&format!("{path}?{}", encode(query, COMPONENT)), URI)
}

/// What JavaScript's `encodeURI` leaves as it is, besides letters and digits (ECMA-262, "URI Syntax and Semantics").
const URI: &[u8] = b";,/?:@&=+$-_.!~*'()#";
/// What Node's `querystring.escape` leaves as it is, besides letters and digits.
const COMPONENT: &[u8] = b"-_.!~*'()";

/// Percent-encodes as UTF-8, upper-case hex, all but letters, digits and `kept`.
fn encode(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);

    fn signature(path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = Request { method: "POST", path, headers: &headers, body: body.as_bytes() };
        let [_, _, (_, signature)] = sign(&"a".repeat(64), &request, AT);
        signature
    }

    #[test]
    fn the_signatures_are_those_that_contentfuls_own_helper_makes() {
        let headers = [
            ("Content-Type", "application/vnd.contentful.management.v1+json"),
            ("X-Contentful-Topic", "ContentManagement.Entry.publish"),
        ];
        assert_eq!(
            signature("/hook", &headers, r#"{"a":1}"#),
            "621d46d90fb3e4f818af4fba5c9fcf87eb98f0f0d2ad278d389fddc96b29c5ea"
        );
        assert_eq!(
            signature("/hook?a=1&b=x y&c=%20", &[], ""),
            "ec2fc66d8908a9455d0ad5ba121573f30a0d0acd19a9a10f777d92dbb25515a8"
        );
    }

    #[test]
    fn a_query_is_encoded_twice_and_ends_at_a_second_question_mark() {
        assert_eq!(
            canonical_path("/hook?a=1&b=x y&c=%20"),
            "/hook?a%253D1%2526b%253Dx%2520y%2526c%253D%252520"
        );
        assert_eq!(canonical_path("/a%20b/ü;,:@&=+$-_.!~*'()#"), "/a%2520b/%C3%BC;,:@&=+$-_.!~*'()#");
        assert_eq!(canonical_path("/a?"), "/a");
        assert_eq!(canonical_path("/a?b?c"), "/a?b");
        assert_eq!(canonical_path("/"), "/");
    }

    #[test]
    fn names_are_signed_in_their_order_and_a_header_given_twice_is_not() {
        let headers = [("B", "1"), ("a", " 2 "), ("X-Two", "1"), ("x-two", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = Request { method: "GET", path: "/", headers: &headers, body: b"" };
        let [(_, timestamp), (_, names), _] = sign("s", &request, AT);
        assert_eq!(timestamp, "1700000000000");
        assert_eq!(names, "a,b,x-contentful-signed-headers,x-contentful-timestamp");
    }
}

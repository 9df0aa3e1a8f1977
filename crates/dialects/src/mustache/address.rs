//! Values in a URL: made safe for the place where they stand.
//!
//! `{{x}}` is percent-encoded, so that it stays one segment of the path or one value of the query. `{{{x}}}` may bring
//! slashes and query of its own; what no URL may hold is encoded. Before the path both may only bring letters, digits, `-`
//! and `.`: an event must not choose scheme, user or port, and credentials go to the host that the webhook's owner wrote.

use super::escape::Escaper;
use crate::percent;

/// Escapes by position.
pub(super) struct Address;

impl Escaper for Address {
    fn write(&self, out: &mut String, value: &str, escaped: bool) -> Result<(), (String, String)> {
        if value.is_empty() {
            return Ok(());
        }
        match part(out) {
            Part::Scheme => {
                Err(("a value stands where the URL begins".into(), "write https:// and the host out".into()))
            }
            Part::Host if value.bytes().all(|one| one.is_ascii_alphanumeric() || b"-.".contains(&one)) => {
                out.push_str(value);
                Ok(())
            }
            Part::Host => Err((
                "a value in the host has characters other than letters, digits, - and .".into(),
                "put the value behind the host's slash, or write the host out".into(),
            )),
            Part::Rest if escaped => {
                out.push_str(&percent::encode(value));
                Ok(())
            }
            Part::Rest => {
                as_it_is(out, value);
                Ok(())
            }
        }
    }
}

enum Part {
    Scheme,
    Host,
    Rest,
}

/// Where a URL that is being written has come to.
fn part(begun: &str) -> Part {
    match begun.split_once("://") {
        None => Part::Scheme,
        Some((_, rest)) if rest.contains(['/', '?', '#', '\\']) => Part::Rest,
        Some(_) => Part::Host,
    }
}

/// Keeps what a URL may hold (RFC 3986 §2, `%` included) and encodes the rest.
fn as_it_is(out: &mut String, value: &str) {
    for one in value.chars() {
        if one.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(one) {
            out.push(one);
        } else {
            out.push_str(&percent::encode(one.encode_utf8(&mut [0; 4])));
        }
    }
}

/// Whether a segment of the path is `.` or `..` in any notation: a URL with it leads elsewhere than it seems
/// (RFC 3986 §5.2.4, and the WHATWG URL Standard for `%2e`).
pub(crate) fn has_dot_segment(url: &str) -> bool {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).skip(1).any(|segment| {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        plain == "." || plain == ".."
    })
}

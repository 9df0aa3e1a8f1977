//! What a source takes in: a CMS's own webhook, and how it proves that it is genuine.

use std::fmt;

use postrider_domain::id::{EventId, Scope};
use postrider_domain::timestamp::Timestamp;

/// A webhook of a CMS as it was received.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    /// The method of the request, in upper case.
    pub method: &'a str,
    /// Path and query of the request, as they stood in its first line.
    pub path: &'a str,
    /// Its headers in their order, lower-case names.
    pub headers: &'a [(String, String)],
    /// Its body, byte for byte.
    pub body: &'a str,
    /// Where it was sent.
    pub scope: &'a Scope,
    /// When it is accepted.
    pub now: Timestamp,
    /// The source's secret, opened.
    pub secret: &'a str,
    /// Names the event where neither the CMS does nor anything can be derived.
    pub fallback_id: &'a EventId,
}

/// How a CMS proves that a webhook is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It signs each with the source's secret. [`crate::Dialect::is_genuine`] judges it.
    Signature {
        /// The header that carries the signature.
        header: &'static str,
    },
    /// It signs with the source's secret where that was agreed; otherwise it sends the secret as a key. What has the header
    /// must be signed: a key beside a wrong signature does not count.
    Either {
        /// The header that carries the signature, if there is one.
        header: &'static str,
    },
    /// It signs nothing: it sends the source's secret as a key.
    Key,
}

impl Received<'_> {
    /// The first header of this name; the case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("scope", self.scope).field("now", &self.now).finish_non_exhaustive()
    }
}

//! What of a request and its answer may be recorded: everything but the webhook's secrets, which become `•••`.
//!
//! Each secret of at least four characters is looked for in every form it can take: as it is, percent-encoded, escaped in
//! JSON, and for basic authentication as Base64 of `user:password`; the URL of an incoming webhook of Slack as its path too.
//! Signatures are no secrets and stay.

use std::time::Duration;

use bytes::Bytes;
use postrider_domain::call::{RECORDED_REQUEST_LIMIT, RecordedRequest, RecordedResponse};
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::webhook::Webhook;

use crate::percent;
use crate::request::{Rendered, basic_credentials};
use crate::standard_webhooks::SECRET_PREFIX;

/// What stands where a secret stood.
pub const MASK: &str = "•••";
/// Shorter secrets are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;

/// The forms of a webhook's secrets, longest first.
#[derive(Clone)]
pub struct Mask {
    needles: Vec<String>,
}

impl Mask {
    /// Everything that must not be recorded of calls of this webhook.
    pub fn new(webhook: &Webhook, secrets: &OpenedSecrets) -> Self {
        let mut needles: Vec<String> = Vec::new();
        let mut add = |secret: &str| {
            needles.push(secret.to_owned());
            needles.push(percent::encode(secret));
            let quoted = serde_json::Value::from(secret).to_string();
            needles.push(quoted[1..quoted.len() - 1].to_owned());
        };
        for secret in secrets.values() {
            add(secret);
            if let Some(key) = secret.strip_prefix(SECRET_PREFIX) {
                add(key);
            }
        }
        // Whoever says that there is nothing at a path says the path.
        let path = secrets.slack.as_deref().and_then(|secret| secret.split_once("://"));
        if let Some((_, path)) = path.and_then(|(_, rest)| rest.split_once('/')) {
            add(path);
        }
        let auth = webhook.action.http().and_then(|target| target.basic_auth.as_ref());
        if let (Some(auth), Some(password)) = (auth, &secrets.basic_password) {
            add(&basic_credentials(&auth.username, password));
        }
        needles.retain(|needle| needle.chars().count() >= SHORTEST);
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles }
    }

    /// The request as it may be recorded, its body cut at [`RECORDED_REQUEST_LIMIT`] bytes.
    pub fn request(&self, rendered: &Rendered, timeout: Duration) -> RecordedRequest {
        let body = self.bytes(rendered.body.as_ref().unwrap_or(&Bytes::new()));
        let kept = body.len().min(RECORDED_REQUEST_LIMIT);
        RecordedRequest {
            method: rendered.method.as_str().to_owned(),
            url: self.text(&rendered.url),
            headers: self.headers(&rendered.headers),
            body: body.slice(..kept),
            timeout,
        }
    }

    /// The answer as it may be recorded. An answer that was cut may end in the middle of a secret: that part goes too.
    pub fn response(&self, response: &RecordedResponse) -> RecordedResponse {
        let mut body = self.bytes(&response.body);
        if response.truncated
            && let Some(begun) = self.begun_at_end(&body)
        {
            body = [&body[..body.len() - begun], MASK.as_bytes()].concat().into();
        }
        let RecordedResponse { status, truncated, .. } = *response;
        RecordedResponse { status, headers: self.headers(&response.headers), body, truncated }
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| {
            if text.contains(needle) { text.replace(needle, MASK) } else { text }
        })
    }

    fn headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| (name.clone(), self.text(value))).collect()
    }

    fn bytes(&self, bytes: &Bytes) -> Bytes {
        self.needles.iter().fold(bytes.clone(), |bytes, needle| replace(&bytes, needle.as_bytes()))
    }

    /// How many bytes at the end are the beginning of a secret.
    fn begun_at_end(&self, bytes: &[u8]) -> Option<usize> {
        let begun = |needle: &String| {
            let needle = needle.as_bytes();
            (SHORTEST..needle.len()).rev().find(|length| bytes.ends_with(&needle[..*length]))
        };
        self.needles.iter().filter_map(begun).max()
    }
}

/// Replaces every occurrence; hands the same bytes back when there is none.
fn replace(bytes: &Bytes, needle: &[u8]) -> Bytes {
    let Some(first) = find(bytes, needle) else { return bytes.clone() };
    let mut out = Vec::with_capacity(bytes.len());
    let (mut rest, mut next) = (bytes.as_ref(), Some(first));
    while let Some(at) = next {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(MASK.as_bytes());
        rest = &rest[at + needle.len()..];
        next = find(rest, needle);
    }
    out.extend_from_slice(rest);
    out.into()
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = needle.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Its needles are secrets.
impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} forms)", self.needles.len())
    }
}

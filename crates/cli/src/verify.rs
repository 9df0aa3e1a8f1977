//! Verifies the signature of a received call, as its receiver would. Written from the published formats alone: it shares
//! no code with the crate that signs, so that one mistake cannot be made twice.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A timestamp may be this many seconds off: 5 minutes (Standard Webhooks, "verifying webhook authenticity").
pub const TOLERANCE_SECONDS: i64 = 300;

/// A received call, as far as signatures care.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// In the order received; names in any case.
    pub headers: &'a [(String, String)],
    /// The raw body.
    pub body: &'a [u8],
    /// When it arrived, in seconds since the Unix epoch.
    pub at: i64,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Signed in this format, with one of the secrets.
    Verified(Format),
    /// No signature of a known format.
    Unsigned,
    /// There is a signature, but nothing to verify it with.
    NoSecret(Format),
    /// There is a signature, and it is not good.
    Bad(Format, String),
}

/// The formats that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature` (<https://www.standardwebhooks.com>, v1).
    StandardWebhooks,
    /// `X-CometCMS-Signature: sha256=<hex>` (CometCMS documentation, "Signature verification").
    CometCms,
}

/// Verifies a call with any of the secrets.
pub fn verify(received: Received<'_>, secrets: &[String]) -> Verdict {
    let format = if received.header("webhook-signature").is_some() {
        Format::StandardWebhooks
    } else if received.header("x-cometcms-signature").is_some() {
        Format::CometCms
    } else {
        return Verdict::Unsigned;
    };
    if secrets.is_empty() {
        return Verdict::NoSecret(format);
    }
    let result = match format {
        Format::StandardWebhooks => standard_webhooks(received, secrets),
        Format::CometCms => comet_cms(received, secrets),
    };
    match result {
        Ok(()) => Verdict::Verified(format),
        Err(why) => Verdict::Bad(format, why),
    }
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several signatures are separated by spaces.
fn standard_webhooks(received: Received<'_>, secrets: &[String]) -> Result<(), String> {
    let part = |name| received.header(name).ok_or_else(|| format!("the header {name} is missing"));
    let (id, stamp, signatures) =
        (part("webhook-id")?, part("webhook-timestamp")?, part("webhook-signature")?);
    let seconds: i64 = stamp.parse().map_err(|_| format!("webhook-timestamp {stamp:?} is no number"))?;
    let off = received.at.abs_diff(seconds);
    if off > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(format!("webhook-timestamp is {off} s off"));
    }
    let mut signed = format!("{id}.{stamp}.").into_bytes();
    signed.extend_from_slice(received.body);
    for signature in signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")) {
        let Ok(given) = STANDARD.decode(signature) else { continue };
        if secrets.iter().any(|secret| same(&mac(&standard_key(secret), &signed), &given)) {
            return Ok(());
        }
    }
    Err("no v1 signature was made with this secret over this body".to_owned())
}

/// `sha256=` and the hex of HMAC-SHA256 over the raw body.
fn comet_cms(received: Received<'_>, secrets: &[String]) -> Result<(), String> {
    let header = received.header("x-cometcms-signature").unwrap_or_default();
    let hex_digest =
        header.strip_prefix("sha256=").ok_or("X-CometCMS-Signature does not begin with sha256=")?;
    let given = hex::decode(hex_digest).map_err(|_| "X-CometCMS-Signature is no hex digest".to_owned())?;
    if secrets.iter().any(|secret| same(&mac(secret.as_bytes(), received.body), &given)) {
        Ok(())
    } else {
        Err("the signature was not made with this secret over this body".to_owned())
    }
}

/// The key of a Standard Webhooks secret: the base64 after `whsec_`, or the text itself without that mark.
fn standard_key(secret: &str) -> Vec<u8> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).unwrap_or_else(|_| secret.as_bytes().to_vec()),
        None => secret.as_bytes().to_vec(),
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104 §2), so this is always there.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn same(expected: &[u8], given: &[u8]) -> bool {
    !expected.is_empty() && bool::from(expected.ct_eq(given))
}

impl Received<'_> {
    /// The first header of this name.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Verdict {
    /// Whether the call is proven to come from who knows the secret.
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::Verified(_))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StandardWebhooks => "standard-webhooks",
            Self::CometCms => "cometcms",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified(format) => write!(f, "verified ({format})"),
            Self::Unsigned => f.write_str("not signed"),
            Self::NoSecret(format) => write!(f, "signed ({format}), not checked: give --secret"),
            Self::Bad(format, why) => write!(f, "NOT VERIFIED ({format}): {why}"),
        }
    }
}

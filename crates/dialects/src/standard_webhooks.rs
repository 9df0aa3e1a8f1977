//! Standard Webhooks, in and out (specification: standard-webhooks/standard-webhooks, spec/standard-webhooks.md). In is
//! [`mod@read`].
//!
//! Out: body `{"type":"Entry.publish","timestamp":"…","data":{…}}` with the event in Postrider's own JSON as `data` and the
//! instant it happened as `timestamp`. Headers: `webhook-id` (`msg_` and the id that all repeats share),
//! `webhook-timestamp` (seconds, of this attempt) and `webhook-signature`: `v1,` and the Base64 of
//! HMAC-SHA256(`id.timestamp.body`), one for each secret that counts now, newest first, separated by spaces.
//!
//! A secret `whsec_…` is Base64 of the key; any other text is the key itself. What came in from a sender of Standard Webhooks
//! leaves with the same body, byte for byte.

use std::time::Duration;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;
use postrider_domain::event::Event;
use postrider_domain::retry::RetryPolicy;

use crate::dialect::{DEFAULT_TIMEOUT, Dialect, Occasion};
use crate::hash::hmac_sha256;
use crate::native::write_call;
use crate::read_error::ReadErrors;
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered, Said, assemble};

pub mod read;

/// The name webhooks and sources choose it by.
pub const NAME: &str = "standard-webhooks";
/// The header that names a message: the same on every attempt.
pub const ID: &str = "webhook-id";
/// The header that says when an attempt was signed, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";
/// The fields of the body that are stamped anew with each attempt: none.
pub const STAMPED: [&str; 0] = [];
/// What a secret begins with when the rest is Base64.
pub const SECRET_PREFIX: &str = "whsec_";

/// Base64 with or without padding: both are seen in the wild.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Requests as the Standard Webhooks specification describes them.
#[derive(Debug, Clone, Copy)]
pub struct StandardWebhooks;

impl Dialect for StandardWebhooks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        if occasion.secrets.signing.is_empty() {
            return Err(RenderError::NoSecret(NAME));
        }
        let head = &occasion.event.head;
        let own = occasion.event.content.source.as_ref().filter(|source| source.dialect == NAME);
        let body = match own {
            Some(source) => source.body.as_str().to_owned(),
            // Type, action and instant have no character that JSON escapes.
            None => format!(
                r#"{{"type":"{}","timestamp":"{}","data":{}}}"#,
                head.topic(),
                head.occurred_at,
                write_call(occasion)
            ),
        };
        let said = Said {
            topic: head.topic(),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            payload: Bytes::from(body),
        };
        assemble(occasion, said, |rendered| Ok(sign(occasion, rendered.signed_body())?.into()))
    }

    fn default_policy(&self) -> RetryPolicy {
        RetryPolicy::named(NAME).unwrap_or_default()
    }

    fn default_timeout(&self) -> Duration {
        DEFAULT_TIMEOUT
    }

    fn needs_secret(&self) -> bool {
        true
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof::Signature { header: SIGNATURE })
    }

    fn is_genuine(&self, received: &Received<'_>) -> bool {
        read::is_genuine(received)
    }

    fn read(&self, received: &Received<'_>) -> Result<Event, ReadErrors> {
        read::read(received)
    }
}

/// The three headers for a body, signed with every secret that counts now.
pub(crate) fn sign(occasion: &Occasion<'_>, body: &[u8]) -> Result<[(String, String); 3], RenderError> {
    let id = format!("msg_{}", occasion.message_id);
    let seconds = occasion.now.unix_seconds();
    let signatures: Vec<String> = occasion
        .secrets
        .signing
        .iter()
        .map(|secret| signature(secret, &id, seconds, body))
        .collect::<Result<_, _>>()?;
    Ok([
        (ID.to_owned(), id),
        (TIMESTAMP.to_owned(), seconds.to_string()),
        (SIGNATURE.to_owned(), signatures.join(" ")),
    ])
}

/// One signature: `v1,` and Base64 of HMAC-SHA256 over `id.timestamp.body`.
pub fn signature(secret: &str, id: &str, unix_seconds: i64, body: &[u8]) -> Result<String, RenderError> {
    let signed = hmac_sha256(&key(secret)?, &[format!("{id}.{unix_seconds}.").as_bytes(), body]);
    Ok(format!("v1,{}", STANDARD.encode(signed)))
}

/// Whether a secret can sign: a text that starts with `whsec_` must go on with Base64.
pub fn check_secret(secret: &str) -> Result<(), RenderError> {
    key(secret).map(|_| ())
}

/// A fresh secret from 32 random bytes (the specification asks for 24 to 64).
pub fn secret_from(random: [u8; 32]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(random))
}

fn key(secret: &str) -> Result<Vec<u8>, RenderError> {
    match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => {
            let key = LENIENT.decode(encoded).map_err(|_| RenderError::Secret)?;
            if key.is_empty() { Err(RenderError::Secret) } else { Ok(key) }
        }
        None => Ok(secret.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_vector_is_reproduced() {
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_secret_is_base64_only_behind_its_prefix() {
        let sign = |secret: &str| signature(secret, "msg_1", 1, b"x");
        assert_eq!(sign("whsec_YWJj"), sign("abc"));
        assert_ne!(sign("YWJj"), sign("abc"));
        assert_eq!(sign("whsec_YWI="), sign("whsec_YWI"));
        assert_eq!(sign("whsec_???"), Err(RenderError::Secret));
        assert_eq!(check_secret("whsec_"), Err(RenderError::Secret));
        assert_eq!(check_secret(&secret_from([7; 32])), Ok(()));
    }
}

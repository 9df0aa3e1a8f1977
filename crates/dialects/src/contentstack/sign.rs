//! Contentstack's two signatures.
//!
//! `X-Contentstack-Request-Signature: v1=<Base64>`: RSASSA-PSS (RFC 8017 §8.1) of the body, SHA-256, MGF1 with SHA-256, a salt
//! of 32 bytes, under the key pair of the space, whose public half anyone may fetch ([`public_keys`]).
//!
//! `x-contentstack-hmac-signature: t=<seconds>,v1=<hex>[,v1=<hex>]`: HMAC-SHA256 of `<seconds>.<body>` under each signing
//! secret that counts now, newest first.
//!
//! The salt and new keys are the one thing in this crate that is drawn and not given: the library takes no randomness from
//! outside, and an RSA of our own would be worse than that.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_domain::timestamp::Timestamp;
use subtle::ConstantTimeEq;

use super::{NAME, SIGNATURE};
use crate::dialect::Occasion;
use crate::hash::hmac_sha256;
use crate::options;
use crate::request::RenderError;

/// The header of the RSA signature.
pub const RSA_HEADER: &str = "X-Contentstack-Request-Signature";
/// The header of the HMAC.
pub const HMAC_HEADER: &str = "x-contentstack-hmac-signature";
/// An HMAC made further away from now than this, in seconds, is not taken: five minutes, as Standard Webhooks says.
const TOLERANCE: u64 = 300;
/// Characters in a line of PEM (RFC 7468 §2).
const PEM_LINE: usize = 64;

/// A fresh key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The private half: Base64 of PKCS #8 in DER, about 1,630 characters. To be sealed.
    pub secret: String,
    /// The public half: PKCS #1 in PEM (`-----BEGIN RSA PUBLIC KEY-----`).
    pub public_pem: String,
}

/// Never shows the private half.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("public_pem", &self.public_pem).finish_non_exhaustive()
    }
}

/// Makes a key pair of 2048 bits, as Contentstack's (its signatures have 344 characters). It takes 50 ms to 1 s of processor
/// time: call it where that blocks nobody. `None` when the system gives no randomness.
pub fn new_key() -> Option<NewKey> {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let private: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    let public = STANDARD.encode(pair.public_key().as_ref());
    let mut public_pem = String::from("-----BEGIN RSA PUBLIC KEY-----\n");
    for line in public.as_bytes().chunks(PEM_LINE) {
        public_pem.extend(line.iter().copied().map(char::from));
        public_pem.push('\n');
    }
    public_pem.push_str("-----END RSA PUBLIC KEY-----\n");
    Some(NewKey { secret: STANDARD.encode(private.as_ref()), public_pem })
}

/// What `/.well-known/public-keys.json` says of a space's public key.
pub fn public_keys(public_pem: &str) -> String {
    serde_json::json!({ "signing-key": public_pem }).to_string()
}

/// The signatures that the webhook's option asks for.
pub(crate) fn headers(occasion: &Occasion<'_>, body: &[u8]) -> Result<Vec<(String, String)>, RenderError> {
    let wanted = options::value(&SIGNATURE, &occasion.webhook.options);
    let (rsa, hmac) = (&occasion.secrets.space_rsa, &occasion.secrets.signing);
    let mut headers = Vec::new();
    match rsa {
        Some(secret) if wanted != "hmac" => {
            headers.push((RSA_HEADER.to_owned(), rsa_signature(secret, body)?));
        }
        None if matches!(wanted, "rsa" | "both") => return Err(RenderError::NoKeyPair),
        _ => {}
    }
    if wanted != "rsa" && !hmac.is_empty() {
        headers.push((HMAC_HEADER.to_owned(), hmac_signature(hmac, occasion.now.unix_seconds(), body)));
    } else if matches!(wanted, "hmac" | "both") {
        return Err(RenderError::NoSecret(NAME));
    }
    Ok(headers)
}

/// `v1=` and the RSA signature of a body; `secret` is [`NewKey::secret`].
pub fn rsa_signature(secret: &str, body: &[u8]) -> Result<String, RenderError> {
    let private = STANDARD.decode(secret).map_err(|_| RenderError::KeyPair)?;
    let pair = KeyPair::from_pkcs8(&private).map_err(|_| RenderError::KeyPair)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), body, &mut signature)
        .map_err(|_| RenderError::KeyPair)?;
    Ok(format!("v1={}", STANDARD.encode(signature)))
}

/// Whether a received header is the RSA signature of a body under a public key in PEM.
pub fn verify_rsa(public_pem: &str, body: &[u8], given: &str) -> bool {
    let encoded: String = public_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let Ok(public) = STANDARD.decode(encoded) else { return false };
    let first = given.split(',').next().unwrap_or_default().trim();
    let Some(Ok(signature)) = first.strip_prefix("v1=").map(|text| STANDARD.decode(text)) else {
        return false;
    };
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public).verify(body, &signature).is_ok()
}

/// `t=<seconds>,v1=<hex>` with one `v1` for each secret.
pub fn hmac_signature(secrets: &[String], unix_seconds: i64, body: &[u8]) -> String {
    let mut header = format!("t={unix_seconds}");
    for secret in secrets {
        header.push_str(",v1=");
        header.push_str(&code(secret, unix_seconds, body));
    }
    header
}

/// Whether one of the codes in a received header is that of the body, made within five minutes of now. Takes the same time
/// wherever they differ.
pub fn verify_hmac(secret: &str, body: &[u8], given: &str, now: Timestamp) -> bool {
    let parts = || given.split(',').filter_map(|part| part.trim().split_once('='));
    let Some(made_at) =
        parts().find(|(name, _)| *name == "t").and_then(|(_, value)| value.parse::<i64>().ok())
    else {
        return false;
    };
    if now.unix_seconds().abs_diff(made_at) > TOLERANCE {
        return false;
    }
    let expected = code(secret, made_at, body);
    let right = |given: &str| bool::from(expected.as_bytes().ct_eq(given.as_bytes()));
    parts().filter(|(name, _)| *name == "v1").fold(false, |found, (_, value)| right(value) | found)
}

fn code(secret: &str, unix_seconds: i64, body: &[u8]) -> String {
    hex::encode(hmac_sha256(secret.as_bytes(), &[format!("{unix_seconds}.").as_bytes(), body]))
}

//! HMAC-SHA256 (RFC 2104), with which every dialect here signs.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The code of a message given in parts.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

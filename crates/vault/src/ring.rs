//! The ring: one key seals, every key opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use postrider_domain::secret::Sealed;
use postrider_ports::clock::Random;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::secrets::{Place, Secrets};

use crate::key::{InvalidKeys, Key};

/// What a sealed text begins with. Another algorithm gets another version.
const VERSION: &str = "v1";
/// XChaCha20's nonce: 24 bytes.
const NONCE: usize = 24;

/// Seals with its first key and opens with any.
pub struct KeyRing {
    active: String,
    ciphers: BTreeMap<String, XChaCha20Poly1305>,
    random: Arc<dyn Random>,
}

impl KeyRing {
    /// A ring of these keys; the first seals.
    pub fn new(keys: &[Key], random: Arc<dyn Random>) -> Result<Self, InvalidKeys> {
        let active = keys.first().ok_or(InvalidKeys::Empty)?.id.as_str().to_owned();
        let cipher = |key: &Key| (key.id.as_str().to_owned(), XChaCha20Poly1305::new((&*key.bits).into()));
        Ok(Self { active, ciphers: keys.iter().map(cipher).collect(), random })
    }

    /// Whether another key than the sealing one made it, so that it should be sealed anew.
    pub fn needs_reseal(&self, sealed: &Sealed) -> bool {
        parts(sealed).is_none_or(|(key, _)| key != self.active)
    }
}

impl Secrets for KeyRing {
    fn seal(&self, place: Place<'_>, secret: &str) -> PortResult<Sealed> {
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce);
        let aad = associated(place);
        let payload = Payload { msg: secret.as_bytes(), aad: &aad };
        let cipher = &self.ciphers[&self.active];
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| PortError::permanent("the secret is too long to be sealed"))?;
        let text = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        Ok(Sealed::new(format!("{VERSION}.{}.{text}", self.active)))
    }

    fn open(&self, place: Place<'_>, sealed: &Sealed) -> PortResult<String> {
        let named = || format!("the secret {} of {} in space {}", place.field, place.owner, place.space);
        let broken = || PortError::permanent(format!("{} does not open: it was changed or moved", named()));
        let (key, text) = parts(sealed).ok_or_else(broken)?;
        let cipher = self.ciphers.get(key).ok_or_else(|| {
            PortError::permanent(format!(
                "{} was sealed with key {key:?}, which is not in the key ring: add its line to the keys file",
                named()
            ))
        })?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| broken())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(broken)?;
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| broken())?;
        let aad = associated(place);
        let opened = cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad });
        String::from_utf8(opened.map_err(|_| broken())?).map_err(|_| broken())
    }
}

fn parts(sealed: &Sealed) -> Option<(&str, &str)> {
    sealed.as_str().strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')
}

/// `space/webhook/field` (DESIGN §3). None of the three can contain a slash, so no two places run together.
fn associated(place: Place<'_>) -> Vec<u8> {
    format!("{}/{}/{}", place.space, place.owner, place.field).into_bytes()
}

#[cfg(test)]
mod tests {
    use postrider_domain::id::SpaceId;

    use super::*;

    /// Not random at all: makes sealed texts that can be frozen.
    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::try_from(at).expect("short");
            }
        }
    }

    fn key(id: &str, bits: u8) -> Key {
        Key::new(id, [bits; 32]).expect("a key")
    }

    fn ring(keys: &[Key]) -> KeyRing {
        KeyRing::new(keys, Arc::new(Counting)).expect("a ring")
    }

    fn place<'a>(space: &'a SpaceId, owner: &'a str) -> Place<'a> {
        Place { space, owner, field: "signing" }
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let (ring, space) = (ring(&[key("k1", 1)]), SpaceId::new("s").expect("id"));
        let sealed = ring.seal(place(&space, "w1"), "hunter2 ü").expect("sealed");
        assert_eq!(ring.open(place(&space, "w1"), &sealed).expect("opens"), "hunter2 ü");
        let error = ring.open(place(&space, "w2"), &sealed).expect_err("moved").to_string();
        assert!(error.contains("w2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn every_changed_character_keeps_it_shut() {
        let (ring, space) = (ring(&[key("k1", 1)]), SpaceId::new("s").expect("id"));
        let sealed = ring.seal(place(&space, "w1"), "hunter2").expect("sealed");
        for at in 0..sealed.as_str().len() {
            let mut bytes = sealed.as_str().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = Sealed::new(String::from_utf8(bytes).expect("ASCII"));
            let opened = ring.open(place(&space, "w1"), &changed);
            // The last character of unpadded base64 may carry unused bits, which the decoder refuses as well.
            assert!(opened.is_err(), "opened with a change at {at}");
        }
    }

    #[test]
    fn an_old_key_still_opens_and_asks_for_a_new_seal() {
        let space = SpaceId::new("s").expect("id");
        let old = ring(&[key("k1", 1)]).seal(place(&space, "w"), "x").expect("sealed");
        let both = ring(&[key("k2", 2), key("k1", 1)]);
        assert_eq!(both.open(place(&space, "w"), &old).expect("opens"), "x");
        assert!(both.needs_reseal(&old));
        assert!(!both.needs_reseal(&both.seal(place(&space, "w"), "x").expect("sealed")));
    }

    #[test]
    fn a_lost_key_is_named() {
        let space = SpaceId::new("s").expect("id");
        let sealed = ring(&[key("k1", 1)]).seal(place(&space, "w"), "x").expect("sealed");
        let error = ring(&[key("k2", 2)]).open(place(&space, "w"), &sealed).expect_err("lost").to_string();
        assert!(error.contains("\"k1\"") && error.contains("keys file"), "{error}");
    }

    #[test]
    fn the_written_form_never_changes() {
        let space = SpaceId::new("s").expect("id");
        let sealed = ring(&[key("k1", 1)]).seal(place(&space, "w1"), "hunter2").expect("sealed");
        assert_eq!(sealed.as_str(), "v1.k1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXEKW18fjj5Z4fxJlHKKYmeVJOhiCpNXE");
    }
}

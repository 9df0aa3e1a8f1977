//! The keys as they were read at one time: one seals, every one opens.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use postrider_domain::secret::Sealed;
use postrider_ports::clock::Random;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::keys::KeyIds;
use postrider_ports::secrets::Place;

use crate::key::{InvalidKeys, Key};

/// What a sealed text begins with. Another algorithm gets another version.
const VERSION: &str = "v1";
/// XChaCha20's nonce: 24 bytes.
const NONCE: usize = 24;

/// Keys that never change: reading them again makes another shelf.
pub(crate) struct Shelf {
    ids: KeyIds,
    ciphers: BTreeMap<String, XChaCha20Poly1305>,
}

/// Why a sealed text does not open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// The key of this id is not here.
    NoKey(String),
    /// It was changed or moved.
    Broken,
}

impl Shelf {
    /// The first key seals.
    pub(crate) fn new(keys: &[Key]) -> Result<Self, InvalidKeys> {
        let mut ids = keys.iter().map(|key| key.id.as_str().to_owned());
        let active = ids.next().ok_or(InvalidKeys::Empty)?;
        let cipher = |key: &Key| (key.id.as_str().to_owned(), XChaCha20Poly1305::new((&*key.bits).into()));
        Ok(Self { ids: KeyIds { active, others: ids.collect() }, ciphers: keys.iter().map(cipher).collect() })
    }

    /// What is on it.
    pub(crate) fn ids(&self) -> &KeyIds {
        &self.ids
    }

    pub(crate) fn seal(&self, place: Place<'_>, secret: &str, random: &dyn Random) -> PortResult<Sealed> {
        let mut nonce = [0; NONCE];
        random.fill(&mut nonce);
        let aad = associated(place);
        let payload = Payload { msg: secret.as_bytes(), aad: &aad };
        let cipher = &self.ciphers[&self.ids.active];
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| PortError::permanent("the secret is too long to be sealed"))?;
        let text = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        Ok(Sealed::new(format!("{VERSION}.{}.{text}", self.ids.active)))
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<String, Shut> {
        let (key, text) = parts(sealed).ok_or(Shut::Broken)?;
        let cipher = self.ciphers.get(key).ok_or_else(|| Shut::NoKey(key.to_owned()))?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Shut::Broken)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or(Shut::Broken)?;
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| Shut::Broken)?;
        let aad = associated(place);
        let opened = cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad });
        String::from_utf8(opened.map_err(|_| Shut::Broken)?).map_err(|_| Shut::Broken)
    }
}

/// The id of the key that sealed it, and what it sealed.
pub(crate) fn parts(sealed: &Sealed) -> Option<(&str, &str)> {
    sealed.as_str().strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')
}

/// `space/webhook/field` (DESIGN §3). None of the three can contain a slash, so no two places run together.
fn associated(place: Place<'_>) -> Vec<u8> {
    format!("{}/{}/{}", place.space, place.owner, place.field).into_bytes()
}

//! A key ring in memory whose keys come and go. It hides secrets and binds them to their places; it protects nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider_domain::secret::Sealed;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::keys::{KeyIds, Keys};
use postrider_ports::secrets::{Place, Secrets};
use sha2::{Digest, Sha256};

/// `v1.<key>.<hex(number ‖ place ‖ secret ‖ hash)>`: the number makes each text another one, the hash shows a change.
pub struct MemoryRing {
    keys: Mutex<KeyIds>,
    sealed: AtomicU64,
}

const NUMBER: usize = 8;
const HASH: usize = 32;

impl MemoryRing {
    /// A ring of one key.
    pub fn new(active: &str) -> Self {
        let keys = KeyIds { active: active.to_owned(), others: Vec::new() };
        Self { keys: Mutex::new(keys), sealed: AtomicU64::new(0) }
    }

    /// Puts other keys into it; the first seals.
    pub fn set(&self, keys: &[&str]) {
        let (active, others) = keys.split_first().expect("a ring has a key");
        let others = others.iter().map(|id| (*id).to_owned()).collect();
        *self.lock() = KeyIds { active: (*active).to_owned(), others };
    }

    fn lock(&self) -> MutexGuard<'_, KeyIds> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn here(place: Place<'_>) -> Vec<u8> {
    format!("{}/{}/{}/", place.space, place.owner, place.field).into_bytes()
}

impl Secrets for MemoryRing {
    fn seal(&self, place: Place<'_>, secret: &str) -> PortResult<Sealed> {
        let number = self.sealed.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut bytes = [number.as_slice(), &here(place), secret.as_bytes()].concat();
        bytes.extend(Sha256::digest(&bytes));
        Ok(Sealed::new(format!("v1.{}.{}", self.lock().active, hex::encode(bytes))))
    }

    fn open(&self, place: Place<'_>, sealed: &Sealed) -> PortResult<String> {
        let broken = || PortError::permanent("it does not open here: it was changed or moved");
        let key = self.sealed_with(sealed).ok_or_else(broken)?;
        let text = &sealed.as_str()["v1.".len() + key.len() + 1..];
        if !self.lock().has(key) {
            return Err(PortError::transient(format!(
                "it is sealed with key {key:?}, which is not in the key ring"
            )));
        }
        let bytes = hex::decode(text).map_err(|_| broken())?;
        let (content, hash) = bytes.split_at_checked(bytes.len().saturating_sub(HASH)).ok_or_else(broken)?;
        // There is one spelling, in lower case.
        if hash != Sha256::digest(content).as_slice() || hex::encode(&bytes) != text {
            return Err(broken());
        }
        let secret = content.get(NUMBER..).and_then(|rest| rest.strip_prefix(here(place).as_slice()));
        String::from_utf8(secret.ok_or_else(broken)?.to_vec()).map_err(|_| broken())
    }
}

impl Keys for MemoryRing {
    fn reread(&self) -> PortResult<KeyIds> {
        Ok(self.lock().clone())
    }

    fn sealed_with<'s>(&self, sealed: &'s Sealed) -> Option<&'s str> {
        sealed.as_str().strip_prefix("v1.")?.split_once('.').map(|(key, _)| key)
    }
}

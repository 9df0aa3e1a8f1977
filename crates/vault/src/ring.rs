//! The ring of a running process: it seals, opens, and reads its keys again when that can help.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use postrider_domain::secret::Sealed;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::keys::{KeyIds, Keys};
use postrider_ports::secrets::{Place, Secrets};
use zeroize::Zeroizing;

use crate::key::{InvalidKeys, Key};
use crate::shelf::{Shelf, Shut, parts};

/// A key that was not found is looked for again after this at the earliest. Thousands of deliveries may wait for it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// So many missing keys are remembered. Nobody has more; if so, they are looked for more often.
const MISSING: usize = 64;

/// Reads the text of the ring, or says why it cannot be read. No error may hold a part of a key.
type Read = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// Seals with its first key and opens with any.
///
/// Where the ring can be read again, it is: before every sealing, so that nothing is ever sealed with a key that is no
/// longer in front or may be lost; and when a value names a key that is not there, at most once per second and key. Both
/// happen within a synchronous call on purpose: sealing is management and rare, a missing key is rarer, and what is read
/// is a file of a few hundred bytes that lies in the page cache, so the thread is held for some 20 µs.
pub struct KeyRing {
    shelf: RwLock<Arc<Shelf>>,
    random: Arc<dyn Random>,
    source: Option<Source>,
}

/// Where the ring is read again.
struct Source {
    read: Read,
    clock: Arc<dyn Clock>,
    /// The keys that were looked for. Whoever holds it reads; the others wait and see what came of it.
    looked: Mutex<BTreeMap<String, Looked>>,
}

/// A look for a missing key.
struct Looked {
    /// When, on the monotonic clock.
    at: Duration,
    /// What would help.
    fix: String,
}

impl KeyRing {
    /// A ring of these keys that stays as it is; the first seals.
    pub fn new(keys: &[Key], random: Arc<dyn Random>) -> Result<Self, InvalidKeys> {
        Ok(Self { shelf: RwLock::new(Arc::new(Shelf::new(keys)?)), random, source: None })
    }

    /// The same, read again from now on.
    #[must_use]
    pub fn read_again(
        self,
        read: impl Fn() -> Result<String, String> + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { source: Some(Source { read: Box::new(read), clock, looked: Mutex::default() }), ..self }
    }

    fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys if they can be read; those before stay when that fails.
    fn renewed(&self) -> Result<Arc<Shelf>, String> {
        let Some(source) = &self.source else { return Ok(self.shelf()) };
        let text = Zeroizing::new((source.read)()?);
        let shelf = Key::parse_all(&text).and_then(|keys| Shelf::new(&keys));
        let shelf = Arc::new(shelf.map_err(|error| error.to_string())?);
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&shelf);
        Ok(shelf)
    }

    /// The keys with this one among them, read again if need be. The error says what to do.
    fn with(&self, key: &str) -> Result<Arc<Shelf>, String> {
        let Some(source) = &self.source else {
            return Err("add it back to the key ring and start this process again".to_owned());
        };
        let mut looked = source.looked.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever had the lock before may have read it.
        if let Some(shelf) = self.shelf_with(key) {
            return Ok(shelf);
        }
        let now = source.clock.monotonic();
        if let Some(last) = looked.get(key).filter(|last| now.saturating_sub(last.at) < LOOK_AGAIN) {
            return Err(last.fix.clone());
        }
        let fix = match self.renewed() {
            Ok(_) => "add it back to the key ring; it is found there without a restart".to_owned(),
            Err(why) => format!("the key ring cannot be read again: {why}"),
        };
        if looked.len() >= MISSING {
            looked.clear();
        }
        looked.insert(key.to_owned(), Looked { at: now, fix: fix.clone() });
        self.shelf_with(key).ok_or(fix)
    }

    fn shelf_with(&self, key: &str) -> Option<Arc<Shelf>> {
        Some(self.shelf()).filter(|shelf| shelf.ids().has(key))
    }
}

impl Secrets for KeyRing {
    fn seal(&self, place: Place<'_>, secret: &str) -> PortResult<Sealed> {
        let shelf = self.renewed().map_err(|why| {
            PortError::transient(format!(
                "nothing is sealed while the key ring cannot be read, since its key may be lost: {why}"
            ))
        })?;
        shelf.seal(place, secret, &*self.random)
    }

    fn open(&self, place: Place<'_>, sealed: &Sealed) -> PortResult<String> {
        let named = || format!("the secret {} of {} in space {}", place.field, place.owner, place.space);
        let broken = || PortError::permanent(format!("{} does not open: it was changed or moved", named()));
        let key = match self.shelf().open(place, sealed) {
            Ok(secret) => return Ok(secret),
            Err(Shut::Broken) => return Err(broken()),
            Err(Shut::NoKey(key)) => key,
        };
        let shelf = self.with(&key).map_err(|fix| {
            let what = format!("{} is sealed with key {key:?}, which is not in the key ring", named());
            PortError::transient(format!("{what}: {fix}"))
        })?;
        shelf.open(place, sealed).map_err(|_| broken())
    }
}

impl Keys for KeyRing {
    fn reread(&self) -> PortResult<KeyIds> {
        let shelf = self.renewed();
        let shelf =
            shelf.map_err(|why| PortError::transient(format!("the key ring cannot be read: {why}")))?;
        Ok(shelf.ids().clone())
    }

    fn sealed_with<'s>(&self, sealed: &'s Sealed) -> Option<&'s str> {
        parts(sealed).map(|(key, _)| key)
    }
}

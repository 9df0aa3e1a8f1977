//! The key ring: given, read from its file, or made on first start.

use std::path::Path;
use std::sync::Arc;

use postrider_ports::clock::Random;
use postrider_vault::{Key, KeyRing};

use super::files::write_private;
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// The id of the key that a first start makes.
const FIRST_KEY: &str = "k1";

/// The ring of these settings. A new one is made only for a system in which nothing can be sealed yet: for another, a
/// missing file means that it was lost.
///
/// # Errors
/// When there is none, or it cannot be read. No message holds any part of a key.
pub fn key_ring(settings: &Settings, first_start: bool, random: Arc<dyn Random>) -> Result<KeyRing, Failure> {
    if let Some(text) = &settings.keys.value {
        return ring(text, "keys.value", random);
    }
    let own = settings.data.dir.join("keys");
    let path = settings.keys.file.as_deref().unwrap_or(&own);
    match std::fs::read_to_string(path) {
        Ok(text) => ring(&text, &path.display().to_string(), random),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && first_start => make(path, random),
        Err(error) => {
            let cause = format!("the key ring {} cannot be read: {error}", path.display());
            Err(Failure::new(Code::CannotStart, cause).next(
                "put the file back from a backup, or name it with keys.file; without it the webhooks' secrets do not open",
            ))
        }
    }
}

/// The ring that all processes of a distributed system share. None is ever made here: two processes would make two.
///
/// # Errors
/// When none is given, or it cannot be read.
pub fn shared_ring(settings: &Settings, random: Arc<dyn Random>) -> Result<KeyRing, Failure> {
    if settings.keys.value.is_none() && settings.keys.file.is_none() {
        let cause = "no key ring is given, and every process must use the same one";
        return Err(Failure::new(Code::Configuration, cause.to_owned()).next(
            "make one with `postrider keys new` and give it to all as keys.value (POSTRIDER__KEYS__VALUE) or keys.file",
        ));
    }
    key_ring(settings, false, random)
}

/// A new key as a line of a ring.
pub fn new_line(id: &str, random: &dyn Random) -> Option<String> {
    let mut bits = [0; 32];
    random.fill(&mut bits);
    Key::new(id, bits).map(|key| key.to_line().as_str().to_owned())
}

fn ring(text: &str, place: &str, random: Arc<dyn Random>) -> Result<KeyRing, Failure> {
    let faulty = |error| Failure::new(Code::CannotStart, format!("{place} cannot be used: {error}"));
    let keys = Key::parse_all(text).map_err(faulty)?;
    KeyRing::new(&keys, random).map_err(faulty)
}

fn make(path: &Path, random: Arc<dyn Random>) -> Result<KeyRing, Failure> {
    let mut bits = [0; 32];
    random.fill(&mut bits);
    let failed = |why: String| {
        Failure::new(Code::CannotStart, format!("the key ring {} cannot be made: {why}", path.display()))
    };
    let key = Key::new(FIRST_KEY, bits).ok_or_else(|| failed("its id is not valid".to_owned()))?;
    let head = "# The keys that seal secrets in the database; the first one seals. Keep a copy apart from the database.\n";
    let text = format!("{head}{}\n", key.to_line().as_str());
    write_private(path, text.as_bytes()).map_err(|error| failed(error.to_string()))?;
    KeyRing::new(&[key], random).map_err(|error| failed(error.to_string()))
}

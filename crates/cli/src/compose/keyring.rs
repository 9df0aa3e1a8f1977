//! The key ring: given, read from its file, or made on first start. A ring in a file is read again while processes run.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postrider_ports::clock::{Clock, Random};
use postrider_vault::{Key, KeyRing};

use super::files::write_private;
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// The id of the key that a first start makes.
const FIRST_KEY: &str = "k1";

/// The largest ring that is read: some thousand keys of 44 characters and remarks on each.
const LARGEST: u64 = 256 * 1024;

/// What a key ring's file begins with.
const HEAD: &str = "# The keys that seal secrets in the database; the first one seals. Keep a copy apart from the database.\n";

/// The file of the ring; `None` when the ring itself is a setting, which no process can read again.
pub fn ring_file(settings: &Settings) -> Option<PathBuf> {
    let own = || settings.data.dir.join("keys");
    settings.keys.value.is_none().then(|| settings.keys.file.clone().unwrap_or_else(own))
}

/// Reads the file of a ring.
///
/// # Errors
/// When it cannot be read, is too large, or is no text.
pub fn read_ring(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a key ring has at most 256 KiB"));
    }
    Ok(text)
}

/// The ring of these settings. A new one is made only for a system in which nothing can be sealed yet: for another, a
/// missing file means that it was lost.
///
/// # Errors
/// When there is none, or it cannot be read. No message holds any part of a key.
pub fn key_ring(
    settings: &Settings,
    first_start: bool,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<KeyRing, Failure> {
    let Some(path) = ring_file(settings) else {
        return ring(settings.keys.value.as_deref().unwrap_or_default(), "keys.value", random);
    };
    let found = match read_ring(&path) {
        Ok(text) => ring(&text, &path.display().to_string(), random)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && first_start => make(&path, random)?,
        Err(error) => {
            let cause = format!("the key ring {} cannot be read: {error}", path.display());
            return Err(Failure::new(Code::CannotStart, cause).next(
                "put the file back from a backup, or name it with keys.file; without it the webhooks' secrets do not open",
            ));
        }
    };
    let read = move || read_ring(&path).map_err(|error| format!("{}: {error}", path.display()));
    Ok(found.read_again(read, clock))
}

/// The ring that all processes of a distributed system share. None is ever made here: two processes would make two.
///
/// # Errors
/// When none is given, or it cannot be read.
pub fn shared_ring(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<KeyRing, Failure> {
    if settings.keys.value.is_none() && settings.keys.file.is_none() {
        let cause = "no key ring is given, and every process must use the same one";
        return Err(Failure::new(Code::Configuration, cause.to_owned()).next(
            "make one with `postrider keys new` and give it to all as keys.file or keys.value (POSTRIDER__KEYS__VALUE)",
        ));
    }
    key_ring(settings, false, clock, random)
}

/// A new key; `None` when it cannot have this id.
pub fn new_key(id: &str, random: &dyn Random) -> Option<Key> {
    let mut bits = [0; 32];
    random.fill(&mut bits);
    Key::new(id, bits)
}

fn ring(text: &str, place: &str, random: Arc<dyn Random>) -> Result<KeyRing, Failure> {
    let faulty = |error| Failure::new(Code::CannotStart, format!("{place} cannot be used: {error}"));
    let keys = Key::parse_all(text).map_err(faulty)?;
    KeyRing::new(&keys, random).map_err(faulty)
}

fn make(path: &Path, random: Arc<dyn Random>) -> Result<KeyRing, Failure> {
    let failed = |why: String| {
        Failure::new(Code::CannotStart, format!("the key ring {} cannot be made: {why}", path.display()))
    };
    let key = new_key(FIRST_KEY, &*random).ok_or_else(|| failed("its id is not valid".to_owned()))?;
    let text = format!("{HEAD}{}\n", key.to_line().as_str());
    write_private(path, text.as_bytes()).map_err(|error| failed(error.to_string()))?;
    KeyRing::new(&[key], random).map_err(|error| failed(error.to_string()))
}

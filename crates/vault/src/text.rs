//! The text of a ring, changed line by line: remarks, blank lines and the order of everything else stay.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::key::{InvalidKeys, Key, holds_key};

/// A ring as it is written down. The first key seals; a key behind it only opens, and so is not yet, or no longer, active.
#[derive(Clone, PartialEq, Eq)]
pub struct RingText {
    text: Zeroizing<String>,
    /// As in the text.
    ids: Vec<String>,
}

/// A change that a ring does not take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidEdit {
    /// A key of this id is there.
    #[error("the key ring has a key {0:?} already: give the new one another id")]
    Taken(String),
    /// No key of this id is there.
    #[error("the key ring has no key {id:?}; it has {has}")]
    Missing {
        /// What was asked for.
        id: String,
        /// What is there.
        has: String,
    },
    /// The key that seals cannot be removed.
    #[error(
        "key {0:?} is the one that seals: put another one in front first, with `postrider keys activate`"
    )]
    Active(String),
    /// The text is no ring.
    #[error(transparent)]
    Keys(#[from] InvalidKeys),
}

impl RingText {
    /// Reads it.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidKeys> {
        let text = Zeroizing::new(text.into());
        let ids = Key::parse_all(&text)?.iter().map(|key| key.id.as_str().to_owned()).collect();
        Ok(Self { text, ids })
    }

    /// The ids of the keys, the active one first.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What to write down. It is the keys: keep it where keys are kept.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// An id that no key has: `k` and the number after the highest.
    pub fn free_id(&self) -> String {
        let number = |id: &String| id.strip_prefix('k').and_then(|digits| digits.parse::<u64>().ok());
        let highest = self.ids.iter().filter_map(number).max().unwrap_or(0);
        format!("k{}", highest.saturating_add(1))
    }

    /// With a key behind the others, where it opens and does not seal.
    pub fn add(&self, key: &Key) -> Result<Self, InvalidEdit> {
        let id = key.id.as_str();
        if self.ids.iter().any(|known| known == id) {
            return Err(InvalidEdit::Taken(id.to_owned()));
        }
        let line = key.to_line();
        let mut lines: Vec<&str> = self.text.lines().collect();
        let behind = lines.iter().rposition(|line| holds_key(line)).map_or(lines.len(), |last| last + 1);
        lines.insert(behind, &line);
        Self::of(&lines)
    }

    /// With this key in front of the others, where it seals.
    pub fn activate(&self, id: &str) -> Result<Self, InvalidEdit> {
        self.known(id)?;
        self.changed(|lines| {
            let first = lines.iter().position(|line| holds_key(line));
            let own = lines.iter().position(|line| is_key(line, id));
            if let (Some(first), Some(own)) = (first, own) {
                lines[first..=own].rotate_right(1);
            }
        })
    }

    /// Without this key. What is sealed with it does not open any more.
    pub fn remove(&self, id: &str) -> Result<Self, InvalidEdit> {
        self.known(id)?;
        if self.ids.first().is_some_and(|active| active == id) {
            return Err(InvalidEdit::Active(id.to_owned()));
        }
        self.changed(|lines| lines.retain(|line| !is_key(line, id)))
    }

    fn known(&self, id: &str) -> Result<(), InvalidEdit> {
        if self.ids.iter().any(|known| known == id) {
            return Ok(());
        }
        Err(InvalidEdit::Missing { id: id.to_owned(), has: self.ids.join(", ") })
    }

    fn changed<'t>(&'t self, change: impl FnOnce(&mut Vec<&'t str>)) -> Result<Self, InvalidEdit> {
        let mut lines = self.text.lines().collect();
        change(&mut lines);
        Self::of(&lines)
    }

    fn of(lines: &[&str]) -> Result<Self, InvalidEdit> {
        let length = lines.iter().map(|line| line.len() + 1).sum();
        // In one allocation, so that no half of a key stays behind in memory.
        let mut text = Zeroizing::new(String::with_capacity(length));
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        let ids = Key::parse_all(&text)?.iter().map(|key| key.id.as_str().to_owned()).collect();
        Ok(Self { text, ids })
    }
}

/// Whether a line of a sound ring is the key of this id.
fn is_key(line: &str, id: &str) -> bool {
    holds_key(line) && line.split_once(':').is_some_and(|(of, _)| of.trim() == id)
}

impl fmt::Debug for RingText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingText({}, …)", self.ids.join(", "))
    }
}

//! Keys and how they are written down: one `id:base64` per line, the first line is the key that seals.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

/// A key's public name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

/// A key: 256 bits.
#[derive(Clone)]
pub struct Key {
    /// Its name.
    pub id: KeyId,
    /// Its bits, wiped when dropped.
    pub(crate) bits: Zeroizing<[u8; 32]>,
}

/// Keys that cannot be read. No message holds any part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidKeys {
    /// There is none.
    #[error("the key ring is empty: give at least one line `id:base64` of 32 random bytes")]
    Empty,
    /// A line is not `id:base64` of 32 bytes.
    #[error(
        "line {line} of the key ring is not `id:base64`: {problem}; such a line is what `postrider keys new` prints, and \
         remarks begin with #"
    )]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two keys of the same id.
    #[error(
        "line {line} of the key ring has the id {id:?} of line {first} again: each key needs its own, so delete one of them"
    )]
    Twice {
        /// The id.
        id: KeyId,
        /// Of the second, from 1.
        line: usize,
        /// Of the first.
        first: usize,
    },
}

impl KeyId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let good = (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        good.then(|| Self(text.to_owned()))
    }
}

impl Key {
    /// A key from its name (1 to 32 of A-Z a-z 0-9 _ -) and bits; `None` for another name.
    pub fn new(id: &str, bits: [u8; 32]) -> Option<Self> {
        Some(Self { id: KeyId::parse(id)?, bits: Zeroizing::new(bits) })
    }

    /// Reads the lines of a key ring, blank lines and `#` comments left out.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, InvalidKeys> {
        let mut keys: Vec<(usize, Self)> = Vec::new();
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| holds_key(text)) {
            let key = Self::parse(text.trim()).map_err(|problem| InvalidKeys::Line { line, problem })?;
            if let Some((first, _)) = keys.iter().find(|(_, known)| known.id == key.id) {
                return Err(InvalidKeys::Twice { id: key.id, line, first: *first });
            }
            keys.push((line, key));
        }
        if keys.is_empty() {
            Err(InvalidKeys::Empty)
        } else {
            Ok(keys.into_iter().map(|(_, key)| key).collect())
        }
    }

    /// The line that reads back as this key. It is the key: keep it where keys are kept.
    pub fn to_line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}:{}", self.id, STANDARD.encode(self.bits.as_slice())))
    }

    fn parse(line: &str) -> Result<Self, &'static str> {
        let (id, bits) = line.split_once(':').ok_or("there is no colon")?;
        let bits =
            Zeroizing::new(STANDARD.decode(bits.trim()).map_err(|_| "what follows the colon is not base64")?);
        let bits = <[u8; 32]>::try_from(bits.as_slice()).map_err(|_| "the key does not have 32 bytes")?;
        Self::new(id.trim(), bits).ok_or("the id must be 1 to 32 of A-Z a-z 0-9 _ -")
    }
}

/// Whether a line is neither blank nor a remark.
pub(crate) fn holds_key(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, …)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_line() {
        let key = Key::new("k1", [7; 32]).expect("a key");
        let read = Key::parse_all(&format!("# ours\n\n{}\n", key.to_line().as_str())).expect("readable");
        assert_eq!((read.len(), read[0].id.as_str(), *read[0].bits), (1, "k1", [7; 32]));
    }

    #[test]
    fn a_faulty_line_is_named_by_number_and_never_shown() {
        let secret = "c2VjcmV0c2VjcmV0";
        for (text, word) in [
            (format!("k1 {secret}"), "colon"),
            (format!("k1:{secret}"), "32 bytes"),
            ("k1:???".to_owned(), "base64"),
            (format!("k 1:{}", STANDARD.encode([0; 32])), "the id"),
        ] {
            let error = Key::parse_all(&text).expect_err("faulty").to_string();
            assert!(error.contains("line 1") && error.contains(word), "{error}");
            assert!(!error.contains(secret), "{error}");
        }
        assert_eq!(Key::parse_all("\n# none\n").expect_err("empty"), InvalidKeys::Empty);
    }

    #[test]
    fn two_keys_of_one_id_are_refused() {
        let key = Key::new("k1", [7; 32]).expect("a key");
        let line = key.to_line();
        let error = Key::parse_all(&format!("#\n{}\n\n{}", line.as_str(), line.as_str())).expect_err("twice");
        assert_eq!(error, InvalidKeys::Twice { id: key.id, line: 4, first: 2 });
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", Key::new("k1", [7; 32]).expect("a key")), "Key(k1, …)");
    }
}

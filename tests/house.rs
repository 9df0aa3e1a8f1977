//! The rules of the house as pure functions: `architecture.rs` and `tidy.rs` apply them to this repository, and prove
//! on small made-up ones that each rule rejects what it is there to reject.

use std::fmt;
use std::path::{Path, PathBuf};

pub mod dependencies;
pub mod graph;
pub mod manifest;
pub mod map;
pub mod rules;
pub mod source;

/// One breach of one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// The file, or the crate when no file is to blame.
    pub place: String,
    /// The line, from 1; 0 when the whole place is meant.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Breach {
    /// A breach of a whole file or crate.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::at(place, 0, what)
    }

    /// A breach at a line.
    pub fn at(place: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { place: place.into(), line, what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.what),
            line => write!(f, "{}:{line}: {}", self.place, self.what),
        }
    }
}

/// The top folder of the repository.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Fails with all breaches at once, so that one run shows everything there is to mend.
///
/// # Panics
/// When there is any breach.
pub fn assert_none(mut breaches: Vec<Breach>) {
    breaches.sort();
    breaches.dedup();
    let lines: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    assert!(lines.is_empty(), "{} breach(es) of the rules of the house:\n{}", lines.len(), lines.join("\n"));
}

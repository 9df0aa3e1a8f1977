//! Secrets as flags.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A secret that a flag or the environment gave; its debug form does not show it.
#[derive(Clone)]
pub(super) struct Hidden(pub(super) String);

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

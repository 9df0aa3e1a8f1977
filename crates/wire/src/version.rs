//! The version every form begins with.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::DecodeError;

/// The version that is written. When a version 2 comes, writers go on with 1 until the operator raises `wire.emit`,
/// which is safe once every process of the installation reads 2 (DESIGN §5); until then there is nothing to choose.
pub const EMITTED: u32 = 1;

/// The newest version that is read.
const KNOWN: u32 = 1;

/// The field `"v":1`: reads no other number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct V1;

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(1)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(D::Error::custom(format_args!("there is no wire version {other}"))),
        }
    }
}

/// Reads a form of version 1. Its version is looked at apart only when that fails: almost everything that is read is
/// of the present version, and a second pass over each message would cost as much as the first.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    serde_json::from_slice(bytes).map_err(|error| match serde_json::from_slice(bytes) {
        Ok(Versioned { v: found }) if found > KNOWN => DecodeError::Newer { found, known: KNOWN },
        _ => DecodeError::Malformed(error.to_string()),
    })
}

/// Writes a form that serde can write as a whole.
pub(crate) fn write(form: &impl Serialize) -> Vec<u8> {
    // Only maps with keys that are no texts and failing writers can fail here; the only map has texts as keys, memory has no faults.
    serde_json::to_vec(form).expect("forms are plain structures")
}

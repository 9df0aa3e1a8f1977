//! `[keys]`: the key ring that seals secrets in the database.

use std::fmt;
use std::path::PathBuf;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// Where the key ring is.
#[derive(Clone)]
pub struct Keys {
    /// A file of its own; `None` is `<data.dir>/keys`, made on first start.
    pub file: Option<PathBuf>,
    /// The ring itself, instead of a file.
    pub value: Option<String>,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::text("keys.file", "", "The key ring's file. Empty: <data.dir>/keys, made on first start."),
    Key::secret(
        "keys.value",
        "The key ring itself, instead of a file (best given as POSTRIDER__KEYS__VALUE).",
    ),
];

impl Keys {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let given = |text: &str| Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
        let file = reader.value("keys.file", given);
        let value = reader.value("keys.value", given);
        Some(Self { file: file?.map(PathBuf::from), value: value? })
    }
}

/// The ring is a secret.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_ref().map(|_| "•••");
        f.debug_struct("Keys").field("file", &self.file).field("value", &value).finish()
    }
}

//! `[data]`: where the process keeps what must not be lost.

use std::path::PathBuf;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// Where the data is.
#[derive(Debug, Clone)]
pub struct Data {
    /// The folder of database, key ring and `cli.toml`.
    pub dir: PathBuf,
}

pub(in crate::settings) const KEYS: &[Key] =
    &[Key::text("data.dir", "./postrider-data", "The folder of the database, the key ring and cli.toml.")];

impl Data {
    /// The database.
    pub fn database(&self) -> PathBuf {
        self.dir.join("postrider.db")
    }

    /// Server and token for the client commands that run beside the server.
    pub fn cli_file(&self) -> PathBuf {
        self.dir.join("cli.toml")
    }

    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let dir = reader.value("data.dir", |text| {
            if text.trim().is_empty() {
                Err("is empty; name a folder".to_owned())
            } else {
                Ok(PathBuf::from(text))
            }
        });
        Some(Self { dir: dir? })
    }
}

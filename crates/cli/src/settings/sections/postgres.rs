//! `[postgres]`: the store and the log of the distributed processes.

use std::fmt;

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between};

/// Where the database is.
#[derive(Clone)]
pub struct Postgres {
    /// `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// Connections of one process.
    pub connections: u32,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::secret_or(
        "postgres.url",
        "postgres://postrider@127.0.0.1:5432/postrider",
        "Postgres of the distributed processes: postgres://user:password@host:5432/database?sslmode=verify-full",
    ),
    Key::number("postgres.connections", "8", "Connections to Postgres that one process may open."),
];

impl Postgres {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.value("postgres.url", |text| {
            let text = text.trim();
            if text.starts_with("postgres://") || text.starts_with("postgresql://") {
                Ok(text.to_owned())
            } else {
                // The address may hold a password, so it is not repeated.
                Err("does not begin with postgres://; write postgres://user:password@host:5432/database"
                    .to_owned())
            }
        });
        let connections = reader.value("postgres.connections", between(2, 1000));
        Some(Self { url: url?, connections: connections? })
    }
}

/// The address may hold a password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("connections", &self.connections).finish_non_exhaustive()
    }
}

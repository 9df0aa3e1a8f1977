//! `[redis]`: the cache that the distributed processes share.

use std::fmt;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// Where the cache is.
#[derive(Clone)]
pub struct Redis {
    /// `redis://[user][:password@]host[:port][/database]`, or `rediss://…`.
    pub url: String,
}

pub(in crate::settings) const KEYS: &[Key] = &[Key::secret_or(
    "redis.url",
    "redis://127.0.0.1:6379/0",
    "Redis or Valkey of the distributed processes: redis://[user][:password@]host[:6379][/database], rediss:// for TLS.",
)];

impl Redis {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.value("redis.url", |text| {
            let text = text.trim();
            if text.starts_with("redis://") || text.starts_with("rediss://") {
                Ok(text.to_owned())
            } else {
                // The address may hold a password, so it is not repeated.
                Err("does not begin with redis:// or rediss://; write redis://:password@host:6379/0"
                    .to_owned())
            }
        });
        Some(Self { url: url? })
    }
}

/// The address may hold a password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

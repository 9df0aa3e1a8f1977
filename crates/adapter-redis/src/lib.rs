//! What all workers share and anybody can lose, on Redis or Valkey: claims on event ids, marks, coalescing windows, rate
//! limits, circuit breakers, and a cache of the webhooks.
//!
//! Everything here can be rebuilt. Without the server every port answers with a transient error that names server and
//! purpose, after one second at the latest, and the services go on: ids are accepted as suspects, the log answers for the
//! marks, a window costs a call more, webhooks come from the store.
//!
//! - `now` always comes from the port `Clock`; each value carries its own end. The TTL of a key is only the broom and a
//!   minute longer, and every key that can become one of many has one.
//! - Where the clocks of two processes differ, nothing is lost and no limit is exceeded: a committed id is known to both, a
//!   mark counts or the log is asked, and windows, breakers and what a rate limit holds back are off by the difference
//!   (`tests/faults/clocks.rs`). A repeat within the 30 s of a pending claim may then be delivered once more.
//! - Only plain commands of Redis 6.0 and Lua scripts whose keys lie in one slot; no modules, and no scan but the bounded one
//!   of `doctor`. A batch is one round trip. So nothing that is sent excludes Valkey or a Redis cluster behind a proxy; the
//!   client itself does not follow the redirections of a cluster yet, and `doctor` says so.
//! - A value under one of our keys that we did not write is an error that names the key.

mod announced;
mod breakers;
mod changes;
mod claims;
mod connection;
mod doctor;
mod keys;
mod life;
mod lua;
mod marks;
mod rates;
mod subscriptions;
mod windows;

pub use announced::Announced;
pub use breakers::RedisBreakers;
pub use claims::RedisClaims;
pub use connection::Redis;
pub use marks::RedisMarks;
pub use rates::RedisRates;
pub use subscriptions::{RedisSubscriptions, TRUTH_EVERY};
pub use windows::RedisWindows;

//! What all workers share and anybody can lose, on Redis or Valkey: claims on event ids, marks, coalescing windows, rate
//! limits, circuit breakers, and a cache of the webhooks.
//!
//! Everything here can be rebuilt. Without the server every port answers with a transient error that names server and
//! purpose, after one second at the latest, and the services go on: ids are accepted as suspects, the log answers for the
//! marks, a window costs a call more, webhooks come from the store.
//!
//! - `now` always comes from the port `Clock`; each value carries its own end. The TTL of a key is only the broom and a
//!   minute longer, and every key that can become one of many has one.
//! - Only plain commands of Redis 6.0 and Lua scripts whose keys lie in one slot; no modules, no scans. A batch is one
//!   round trip.
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

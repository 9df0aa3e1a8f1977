//! The store and the log in Postgres: what `postrider` processes on many machines share.
//!
//! - [`Database`] is the handle: it implements every durable port but the queue. Clones are cheap and share one small pool.
//! - [`Driver`] listens for changes of webhooks (`LISTEN`). Nothing here spawns a task, so whoever opens the database runs
//!   the driver beside the services. What it brings are hints alone: without it everything works, later.
//! - **Opening** (`open.rs`) migrates under an advisory lock, so that all services may start at once, and tells apart what
//!   can be wrong with an address, a server and a database (`open_error.rs`).
//! - **The store** (`store.rs`) keeps spaces, tokens, sources, webhooks with their global version, and large bodies.
//! - **The log** (`log.rs`) keeps events, deliveries and calls. A batch is a handful of statements over `unnest`.
//! - **Days** (`partitions.rs`): events, deliveries, calls and bodies lie in one partition a day, so that forgetting a day
//!   is dropping its tables.
//!
//! - **The term** (`leader.rs`): which of several processes does the background work.
//!
//! What was signed or received is kept as the bytes it was (`bytea`), never as `jsonb`. Instants come from the port
//! `Clock`, never from the server.
//!
//! Migrations are additive, so the release before runs on them too; only a schema of a generation higher than [`SCHEMA`]
//! is refused.

mod database;
mod doctor;
mod driver;
mod fault;
mod leader;
mod log;
mod open;
mod open_error;
mod partitions;
mod row;
mod settings;
mod statements;
mod store;

pub use database::Database;
pub use driver::Driver;
pub use leader::Term;
pub use open::SCHEMA;
pub use open_error::OpenError;
pub use settings::{Place, Settings};

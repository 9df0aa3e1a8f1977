//! One file that is queue, store and log: everything `postrider serve` needs of a broker and a database server.
//!
//! ```text
//!  ports ─▶ Database ─┬─ every write ─▶ Writer ─(channel)─▶ Driver: one connection, many writes a transaction
//!                     └─ every read ──▶ a pool of three connections that cannot write
//! ```
//!
//! - [`Database`] is the handle: it implements every durable port. Clones are cheap and mean the same file.
//! - [`Driver`] is its engine. Nothing here spawns a task, so whoever opens the database runs the driver beside the
//!   services; it ends when the database is closed or its last handle is dropped.
//! - **Durable means synced.** The file is in WAL mode with `synchronous=FULL`. Whatever waits is written together and
//!   synced once (`writer.rs`, `driver.rs`); nobody is answered before that.
//! - **The queue** (`queue.rs`) is three tables: `messages`, which of them are `ready`, which are `leases`. Only one
//!   process uses the file (`lock.rs`), so a lease needs no deadline: it ends with its holder, and whatever is found
//!   leased when the file is opened was held by a process that died, and is handed out again as redelivered.
//! - **The store** (`store.rs`) keeps spaces, tokens, webhooks with their global version, and large bodies.
//! - **The log** (`log.rs`) keeps events, deliveries and calls by day.
//! - **Opening** (`open.rs`) tells apart everything that can be wrong with a path and a file, and says what to do.
//!
//! Migrations are additive, so the release before runs on them too; only a file whose `user_version` is higher than
//! [`SCHEMA`] is refused.

mod database;
mod driver;
mod fault;
mod instant;
mod lock;
mod log;
mod open;
mod open_error;
mod queue;
mod store;
mod writer;

pub use database::{Database, Settings};
pub use driver::Driver;
pub use open::{APPLICATION_ID, FILE_NAME, SCHEMA};
pub use open_error::OpenError;

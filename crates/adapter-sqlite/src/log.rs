//! The log: events, deliveries and calls, kept by day.
//!
//! - `write.rs` stores batches, idempotently and in any order of arrival. A call or a settlement that comes before the
//!   record of its event's matching makes the delivery, and the event with its head alone; the matching completes both.
//! - `read.rs`, `pages.rs`, `walks.rs`, `statements.rs` and `generation.rs` are the read side, `rows.rs` turns rows into
//!   words.
//! - `progress.rs` answers suspects, `open.rs` looks for what has not come to its end, `retention.rs` forgets.

mod generation;
mod open;
mod pages;
mod progress;
mod read;
mod retention;
mod rows;
mod statements;
mod walks;
mod write;

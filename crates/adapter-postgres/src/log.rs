//! The log: events, deliveries and calls, kept by day.
//!
//! - `write.rs` stores batches, idempotently and in any order of arrival: `batch.rs` folds the records of a batch into rows
//!   of three tables, and each table takes its rows in one statement. A call or a settlement that comes before the record
//!   of its event's matching makes the delivery, and the event with its head alone; the matching completes both.
//! - `read.rs`, `pages.rs`, `walks.rs` and `generation.rs` are the read side, `rows.rs` turns rows into words.
//! - `progress.rs` answers suspects, `open.rs` looks for what has not come to its end, `retention.rs` forgets.

mod batch;
mod generation;
mod open;
mod pages;
mod progress;
mod read;
mod retention;
mod rows;
mod walks;
mod write;

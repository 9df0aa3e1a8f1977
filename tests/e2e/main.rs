//! Stories over the built binary: real processes, real HTTP, real files, killed and stopped for real. Here over the
//! embedded composition; `distributed.rs` tells the same ones over the distributed one.
//!
//! Nothing here waits for time to pass: a story awaits what the system says or what a receiver got, and fails when that
//! does not come within [`process::PATIENCE`].

mod backlog;
mod bad_input;
mod coalescing;
mod cometcms;
#[path = "composition/embedded.rs"]
mod composition;
mod contentful;
mod contentstack;
mod contismo;
mod datocms;
mod isolation;
mod keys;
mod kill;
mod main_job;
mod official_client;
mod process;
mod retries;
mod secrets;
mod sources;
mod system;
#[expect(dead_code, reason = "only `scale.rs` asks where a call came from")]
mod target;
mod terminate;

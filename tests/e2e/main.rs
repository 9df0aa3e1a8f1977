//! Stories over the built binary: real processes, real HTTP, real files, killed and stopped for real.
//!
//! Nothing here waits for time to pass: a story awaits what the system says or what a receiver got, and fails when that
//! does not come within [`system::PATIENCE`].

mod backlog;
mod bad_input;
mod coalescing;
mod isolation;
mod kill;
mod main_job;
mod retries;
mod sources;
mod system;
mod target;
mod terminate;

//! Stories over the built binary: real processes, real HTTP, real files, killed and stopped for real. Here over the
//! embedded composition; `distributed.rs` tells the same ones over the distributed one.
//!
//! Nothing here waits for time to pass: a story awaits what the system says or what a receiver got, and fails when that
//! does not come within [`process::PATIENCE`].

mod backlog;
mod bad_input;
mod bad_templates;
mod coalescing;
mod cometcms;
#[path = "composition/embedded.rs"]
mod composition;
mod contentful;
mod contentstack;
mod contismo;
mod datocms;
mod deliveries;
mod fanout;
mod guides;
mod isolation;
mod keys;
mod kill;
mod main_job;
mod matching;
mod official_client;
mod operational;
mod poison;
mod process;
mod program;
mod receivers;
mod resend;
mod retries;
mod secrets;
mod shell;
mod slack;
mod sources;
mod system;
#[expect(dead_code, reason = "only `scale.rs` asks where a call came from")]
mod target;
mod terminate;
mod webhook_clients;

//! The stories of `main.rs`, unchanged, over the distributed composition: each service a process, on real servers.

mod backlog;
mod bad_input;
mod coalescing;
mod cometcms;
#[path = "composition/distributed.rs"]
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

//! The stories of `main.rs`, unchanged, over the distributed composition: each service a process, on real servers.

mod backlog;
mod bad_input;
mod bad_templates;
mod coalescing;
mod cometcms;
#[path = "composition/distributed.rs"]
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

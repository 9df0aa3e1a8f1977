//! The built binary, run as a user runs it.

mod calls_export;
mod client;
mod completions;
mod demo;
mod distributed;
mod forwarding;
mod keys;
#[expect(dead_code, reason = "why an operation has no command is for `operations.rs`")]
mod lines;
mod parked;
mod process;
mod roles;
mod start;
mod steering;
mod tokens;
mod webhook_files;

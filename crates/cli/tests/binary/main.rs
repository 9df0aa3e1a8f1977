//! The built binary, run as a user runs it.

mod calls_export;
mod client;
mod completions;
mod demo;
mod distributed;
mod forwarding;
mod keys;
mod parked;
mod process;
mod start;
mod steering;
mod tokens;
mod webhook_files;

//! The built binary, run as a user runs it.

mod client;
mod demo;
mod distributed;
mod parked;
mod process;
mod start;
mod tokens;
mod webhook_files;

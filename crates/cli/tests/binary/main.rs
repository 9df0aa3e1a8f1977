//! The built binary, run as a user runs it.

mod client;
mod demo;
mod distributed;
mod process;
mod start;
mod tokens;

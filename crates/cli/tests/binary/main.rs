//! The built binary, run as a user runs it.

mod client;
mod demo;
mod process;
mod start;

//! The subcommands, one file each.

pub mod calls;
mod calls_export;
pub mod completions;
pub mod config;
pub mod demo;
pub mod doctor;
mod event_text;
pub mod events;
pub mod healthcheck;
pub mod keys;
pub mod listen;
mod listen_forward;
pub mod migrate;
pub mod parked;
pub mod process;
pub mod serve;
pub mod sources;
pub mod tokens;
pub mod topology;
mod webhook_apply;
mod webhook_file;
mod webhook_flags;
pub mod webhooks;

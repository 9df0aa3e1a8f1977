//! The subcommands, one file each.

pub mod calls;
pub mod config;
pub mod demo;
mod event_text;
pub mod events;
pub mod listen;
pub mod serve;
pub mod sources;
mod webhook_flags;
pub mod webhooks;

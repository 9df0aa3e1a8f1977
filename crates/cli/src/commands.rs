//! t
pub mod config;
pub mod listen;
pub mod webhook_flags;

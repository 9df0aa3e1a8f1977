//! t
pub mod commands;
pub mod compose;
pub mod exit;
pub mod output;
pub mod receiver;
pub mod settings;
pub mod verify;

//! What people set up: spaces and tokens (`access.rs`), sources (`sources.rs`), webhooks (`registry.rs`) as dispatchers see them
//! (`subscriptions.rs`), which of them are not well (`wellness.rs`), and bodies too large to travel (`bodies.rs`).

mod access;
mod bodies;
mod reconcile;
mod registry;
mod settings;
mod sources;
pub(crate) mod subscriptions;
mod wellness;

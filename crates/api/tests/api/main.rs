//! The management API as its clients see it: every route through the router, over parts in memory.

mod calls;
mod conformance;
mod contentful;
mod deliveries;
mod errors;
mod events;
mod harness;
mod keys;
mod openapi;
mod parked;
mod roles;
mod roles_page;
mod secrets;
mod settings;
mod slack;
mod sources;
mod spaces;
mod store;
mod tokens;
mod trials;
mod validation;
mod webhooks;
mod world;

//! The nouns of Postrider and the rules between them.
//!
//! Nothing here does I/O, reads a clock or draws a random number: `now` and random values are arguments, so every
//! rule can be tested in microseconds. Nothing here is serialisable either: the formats that outlive a process
//! are `wire`'s, and may change at another pace than these types.
//!
//! - [`event`]: one thing that happened to one resource.
//! - [`source`]: where a CMS's own webhooks come in.
//! - [`topic`], [`trigger`], [`filter`], [`matching`]: which events a [`webhook`] wants, and why.
//! - [`delivery`], [`outcome`], [`retry`], [`coalesce`], [`gathering`]: what becomes of one event for one webhook.
//! - [`call`], [`record`]: what the log keeps of it; [`diagnosis`]: what a failed call means.
//! - [`operational`]: what is told of webhooks themselves.
//! - [`space`]: what holds for all webhooks of a space.
//! - [`token`]: who may do what.

pub mod call;
pub mod coalesce;
pub mod delivery;
pub mod diagnosis;
pub mod event;
pub mod filter;
pub mod gathering;
pub mod id;
pub mod json;
pub mod matching;
pub mod message;
pub mod operational;
pub mod outcome;
pub mod record;
pub mod retry;
pub mod secret;
pub mod source;
pub mod space;
pub mod timestamp;
pub mod token;
pub mod topic;
pub mod trigger;
pub mod webhook;

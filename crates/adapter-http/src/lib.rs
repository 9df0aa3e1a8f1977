//! The one guarded way out.
//!
//! [`client::GuardedClient`] makes every call to an address that a user gave. It judges the URL ([`guard`]), resolves the
//! name itself and judges every address ([`resolver`], [`address`]), connects to exactly the addresses it judged, follows no
//! redirect, knows no proxy, decodes nothing, and keeps one deadline over everything.
//!
//! [`operator::OperatorClient`] is the other kind: the command line's own connection to the Postrider server that the person
//! at the terminal named. It is not guarded, and nothing but the command line uses it.

pub mod address;
pub mod client;
pub mod guard;
pub mod operator;
pub mod resolver;

mod failure;
mod stopwatch;

pub use client::{GuardedClient, Settings};
pub use operator::OperatorClient;

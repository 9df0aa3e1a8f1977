//! What tests are made of: controlled time and chance, builders, fakes, a scripted receiver, private servers, and the
//! conformance suites that every adapter passes. Only ever a dev-dependency.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test panics when it is given nonsense: that is how it fails"
)]

pub mod builders;
pub mod clock;
pub mod collector;
pub mod conformance;
pub mod history;
pub mod log;
pub mod queue;
pub mod random;
pub mod receiver;
pub mod reconcile;
pub mod relay;
pub mod ring;
pub mod sender;
pub mod servers;
pub mod slack;
pub mod store;
pub mod untrusted;

pub use clock::{ManualClock, RealClock, START};
pub use random::SeededRandom;

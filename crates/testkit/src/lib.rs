//! What tests are made of: controlled time and chance, builders, fakes of every port, a scripted receiver, and the
//! conformance suites that every adapter passes. Only ever a dev-dependency.

pub mod builders;
pub mod clock;
pub mod random;

pub use clock::{ManualClock, RealClock, START};
pub use random::SeededRandom;

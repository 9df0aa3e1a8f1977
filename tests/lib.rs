//! End-to-end stories over the built binary, and the tests that hold the house together.

pub mod house;
pub mod markdown;
pub mod npm;
pub mod pip;

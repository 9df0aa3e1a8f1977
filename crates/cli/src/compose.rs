//! Which adapter stands behind which port.

pub mod clock;
pub mod embedded;
pub mod files;
pub mod keyring;
pub mod random;
mod services;

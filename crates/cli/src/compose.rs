//! Which adapter stands behind which port.

mod catch_up;
pub mod clock;
pub mod embedded;
pub mod files;
pub mod keyring;
pub mod random;
mod services;

//! Which adapter stands behind which port.

mod catch_up;
pub mod clock;
pub mod embedded;
pub mod files;
mod first_token;
pub mod keyring;
mod ports;
pub mod random;
mod services;
mod web;

//! Which adapter stands behind which port.

mod catch_up;
pub mod clock;
pub mod distributed;
pub mod embedded;
pub mod files;
mod first_token;
pub mod keyring;
mod late;
mod ports;
pub mod random;
mod services;
mod web;

pub(crate) use web::url as local_url;

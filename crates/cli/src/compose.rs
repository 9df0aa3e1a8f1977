//! Which adapter stands behind which port.

pub mod clock;
pub mod files;
pub mod random;

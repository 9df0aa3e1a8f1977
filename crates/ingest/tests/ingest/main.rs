//! The HTTP door and the accept path behind it, over fakes of every port.

mod claims;
mod fakes;
mod forms;
mod limits;
mod properties;
mod refusals;
mod sources;
mod world;

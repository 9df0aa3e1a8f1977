//! Both doors and the accept path behind it, over fakes of every port.

mod claims;
mod fakes;
mod forms;
mod inbox;
mod inbox_bounds;
mod inbox_faults;
mod inbox_outages;
mod inbox_properties;
mod inbox_world;
mod limits;
mod properties;
mod refusals;
mod sources;
mod sources_contentful;
mod world;

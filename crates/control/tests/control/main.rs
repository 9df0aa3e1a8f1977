//! The use-cases over parts in memory: what management decides, apart from how the API says it.

mod doors;
mod drafts;
mod instance;
mod limits;
mod preview;
mod slack;
mod space_settings;

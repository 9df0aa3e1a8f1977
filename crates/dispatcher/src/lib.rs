//! Match, fan out, deliver, settle: from an accepted event to the last record of its last call.
//!
//! The way through the files:
//!
//! - `events` takes events: `matching` (over `index` and `spaces`) decides who wants one, `fanout` makes
//!   the messages.
//! - `lanes` takes deliveries: `admit` plans a batch (`suspects`, windows), `bundle` is one message with its lease,
//!   `deliver` brings one delivery as far as it comes, `call` makes the call, `settle` does what follows from it, and
//!   `recorder` brings the evidence to the log.
//! - Who may call when: `floor` over `shares`, `room` and `backlog`; `tokens` (rate limits); `breaker`, and `ramp` for those
//!   that return; `bulk` for the lane that never hurries past others.
//! - `wellness` tells which webhooks fail, are disabled or recover, as events of their own (`announce`).
//! - `pause` stops for a moment when something is away. `worker` holds what all of these share, `dispatcher` runs them.

mod admit;
mod announce;
mod backlog;
mod breaker;
mod bulk;
mod bundle;
mod call;
mod contents;
mod deliver;
mod events;
mod fanout;
mod floor;
mod index;
mod lanes;
mod locked;
mod matching;
mod pause;
mod ramp;
mod recorder;
mod room;
mod settle;
mod shares;
mod spaces;
mod suspects;
mod telemetry;
mod tokens;
mod wellness;
mod worker;

pub mod deps;
pub mod dispatcher;
pub mod settings;

pub use deps::Deps;
pub use dispatcher::{Dispatcher, Error, run};
pub use settings::Settings;

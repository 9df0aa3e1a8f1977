//! What only many processes can show, each scaled by starting another: the distributed story with its losses, a changed
//! webhook that every worker obeys, what a delivery costs the servers, and one trace through all. One after the other: these measure.
#![expect(clippy::print_stdout, reason = "what was measured is part of the result")]

#[expect(dead_code, reason = "the stories of one composition use more of it")]
#[path = "composition/distributed.rs"]
mod composition;
mod process;
#[expect(dead_code, reason = "the stories of one composition use more of it")]
mod system;
#[expect(dead_code, reason = "the stories of one composition use more of it")]
mod target;

#[path = "scale/cms.rs"]
mod cms;
#[path = "scale/costs.rs"]
mod costs;
#[path = "scale/distributed_story.rs"]
mod distributed_story;
#[path = "scale/first_token.rs"]
mod first_token;
#[path = "scale/ledger.rs"]
mod ledger;
#[path = "scale/metrics.rs"]
mod metrics;
#[path = "scale/obedience.rs"]
mod obedience;
#[path = "scale/one_trace.rs"]
mod one_trace;
#[path = "scale/parked.rs"]
mod parked;
#[path = "scale/poison.rs"]
mod poison;
#[path = "scale/sockets.rs"]
mod sockets;

/// Held by each test while it runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

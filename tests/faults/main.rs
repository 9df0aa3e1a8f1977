//! The loss suite: real processes on real servers, under steady load, with something killed, cut off or filled up in the
//! middle of it. Afterwards every accepted event is in exactly one state for each webhook that wants it, nothing was called
//! more often than what was lost explains, and every process works again by itself.
//!
//! Stories run one after the other, on servers of their own. What they found is in `target/reliability`, from where
//! `cargo xtask reliability` writes `docs/reliability.md`.
#![expect(clippy::print_stdout, reason = "what was counted is part of the result")]

#[expect(dead_code, reason = "the stories of one composition use more of it")]
#[path = "../e2e/scale/cms.rs"]
mod cms;
#[expect(dead_code, reason = "the stories of one composition use more of it")]
#[path = "../e2e/composition/distributed.rs"]
mod composition;
#[expect(dead_code, reason = "`scale.rs` counts more")]
#[path = "../e2e/scale/ledger.rs"]
mod ledger;
#[path = "../e2e/process.rs"]
mod process;
#[expect(dead_code, reason = "only `scale.rs` asks which process made a call")]
#[path = "../e2e/scale/sockets.rs"]
mod sockets;
#[expect(dead_code, reason = "the stories of one composition use more of it")]
#[path = "../e2e/system.rs"]
mod system;
#[expect(dead_code, reason = "the stories of one composition use more of it")]
#[path = "../e2e/target.rs"]
mod target;

mod all_at_once;
mod audit;
mod broker;
mod cluster;
mod disk_wiped;
mod kills;
mod load;
mod postgres;
mod redis;
mod report;
mod servers;
mod stage;
mod waiting;

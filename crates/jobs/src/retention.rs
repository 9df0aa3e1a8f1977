//! Forgetting what is older than the retention.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::retry::LONGEST_DELAY;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Removed, Retention};

/// A delivery may wait this long for its next attempt: 2^20 − 1 s = 12.1 days. What it needs stays at least so long.
pub const LONGEST_OPEN_RETRY: Duration = LONGEST_DELAY;

/// One day more than the longest open retry covers begun days on both ends: ⌈12.1⌉ + 1 = 14.
const FEWEST_DAYS: i32 = 14;

/// Removes old days, part by part.
pub struct Sweeper {
    retention: Arc<dyn Retention>,
    clock: Arc<dyn Clock>,
    days: i32,
}

impl Sweeper {
    /// Keeps `days` days, but never fewer than the longest open retry needs.
    pub fn new(retention: Arc<dyn Retention>, clock: Arc<dyn Clock>, days: u16) -> Self {
        Self { retention, clock, days: i32::from(days).max(FEWEST_DAYS) }
    }

    /// Removes one part of what is due; `more` says whether to go on.
    pub async fn step(&self) -> PortResult<Removed> {
        self.retention.remove_before(self.clock.now().day().minus(self.days)).await
    }
}

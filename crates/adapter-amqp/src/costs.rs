//! What was asked of the broker, counted: the cost of what was done (DESIGN §5).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::driver::Amqp;

/// Counters since the process began. They outlive sessions.
#[derive(Default)]
pub(crate) struct Costs {
    published: AtomicU64,
    delivered: AtomicU64,
}

impl Costs {
    /// A message went to the broker.
    pub(crate) fn publish(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    /// The broker handed over a message.
    pub(crate) fn deliver(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }
}

impl Amqp {
    /// How many messages this process has sent to the broker, whether or not they were confirmed: new ones, what was put
    /// off or sent on, what was parked.
    pub fn published(&self) -> u64 {
        self.shared.costs.published.load(Ordering::Relaxed)
    }

    /// How many messages the broker has handed to this process: fetched ahead, handed out again after an outage, and
    /// those read for a list of what is parked.
    pub fn delivered(&self) -> u64 {
        self.shared.costs.delivered.load(Ordering::Relaxed)
    }
}

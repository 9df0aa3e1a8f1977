//! Back-pressure: how much is waiting, as measured last (DESIGN §4.2).

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::message::Queue;
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Depth, Depths};
use tokio::sync::watch;

/// How often it is measured.
pub const EVERY: Duration = Duration::from_secs(1);

/// The number of messages that are ready and wait, over all queues: an event that is accepted now stands behind them.
/// What was put off to a later instant does not count; a receiver that is down must not close the door for all.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<watch::Sender<u64>>);

impl Pressure {
    /// Nothing waits, until it is measured.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures and notes how many messages wait. On error the last figure stays.
    pub async fn measure(&self, depths: &dyn Depths) -> PortResult<u64> {
        self.measure_each(depths, |_, _| {}).await
    }

    /// The same, showing the depth of each queue on the way.
    pub(crate) async fn measure_each(
        &self,
        depths: &dyn Depths,
        mut show: impl FnMut(Queue, Depth) + Send,
    ) -> PortResult<u64> {
        let mut waiting = 0_u64;
        for queue in Queue::ALL {
            let depth = depths.depth(queue).await?;
            show(queue, depth);
            waiting = waiting.saturating_add(depth.ready);
        }
        self.0.send_replace(waiting);
        Ok(waiting)
    }

    /// As measured last.
    pub fn waiting(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until what was measured last is like this.
    pub(crate) async fn until(&self, is_so: impl Fn(u64) -> bool) {
        // `self` holds the sender, so waiting cannot fail.
        drop(self.0.subscribe().wait_for(|waiting| is_so(*waiting)).await);
    }
}

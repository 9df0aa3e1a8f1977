//! Before the dispatcher begins, the log catches up with what the process before this one recorded.
//!
//! A delivery that may be a copy asks marks and log how far it has come. The marks of the embedded system are in memory, so
//! after a start only the log answers, and it answers "not yet" for a record that still waits in its queue: the call
//! would be made again.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::message::Queue;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Depth, Depths};
use postrider_runtime::health::Component;
use postrider_runtime::shutdown::Shutdown;

/// How often the depth is looked at: a counter in memory.
const LOOK: Duration = Duration::from_millis(5);

/// Returns once no record waits, or at the wish to stop. Nothing else may write records meanwhile.
pub(super) async fn caught_up(
    depths: Arc<dyn Depths>,
    clock: Arc<dyn Clock>,
    health: Component,
    shutdown: Shutdown,
) -> PortResult<()> {
    // Two looks in a row: a message that is being handed out may be missing in both counts of one.
    let mut empty = 0;
    loop {
        let Depth { ready, leased, .. } = depths.depth(Queue::Records).await?;
        empty = if ready + leased == 0 { empty + 1 } else { 0 };
        if empty == 2 {
            health.ready();
            return Ok(());
        }
        if empty == 1 {
            continue;
        }
        health.not_ready("records of the process before this one are being logged");
        tokio::select! {
            biased;
            () = shutdown.stopping() => return Ok(()),
            () = clock.sleep_until(clock.now().plus(LOOK)) => {}
        }
    }
}

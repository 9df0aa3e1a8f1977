//! Background work that exactly one process does: now retention, later partitions, replay, time-based disabling and
//! reconciling.
//!
//! In the embedded system the one process is the leader. In the distributed one a lock of the store elects it.

mod retention;

use std::sync::Arc;
use std::time::Duration;

use postrider_ports::clock::Clock;
use postrider_ports::error::PortError;
use postrider_ports::log::Retention;
use postrider_runtime::health::Component;
use postrider_runtime::shutdown::Shutdown;
use tracing::{info, warn};

pub use retention::{LONGEST_OPEN_RETRY, Sweeper};

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Days that events, bodies, deliveries and calls are kept (DESIGN §5: 30). Never below the longest open retry.
    pub retention_days: u16,
    /// How often old days are looked for.
    pub sweep_every: Duration,
    /// The pause between two parts of a sweep, so that it never competes with deliveries for the disk.
    pub breath: Duration,
}

/// What the service stands on.
pub struct Deps {
    /// What forgets.
    pub retention: Arc<dyn Retention>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where it says whether it can do its work.
    pub health: Component,
}

impl Default for Settings {
    fn default() -> Self {
        Self { retention_days: 30, sweep_every: Duration::from_secs(3600), breath: Duration::from_millis(50) }
    }
}

/// Sweeps once at the start and then every `sweep_every`, until asked to stop. A failed sweep is logged and tried again
/// at its next time: it only costs disk.
pub async fn run(settings: Settings, deps: Deps, shutdown: Shutdown) -> Result<(), PortError> {
    let sweeper = Sweeper::new(deps.retention, Arc::clone(&deps.clock), settings.retention_days);
    deps.health.ready();
    loop {
        let wait = match sweeper.step().await {
            Ok(removed) if removed.more => settings.breath,
            Ok(removed) => {
                if removed.rows > 0 {
                    info!(rows = removed.rows, "retention removed the last of what was due");
                }
                settings.sweep_every
            }
            Err(fault) => {
                warn!(%fault, "retention failed and is tried again at its next time");
                settings.sweep_every
            }
        };
        tokio::select! {
            biased;
            () = shutdown.stopping() => return Ok(()),
            () = deps.clock.sleep_until(deps.clock.now().plus(wait)) => {}
        }
    }
}

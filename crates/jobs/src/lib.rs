//! Background work that exactly one process does: the days to come are prepared, old ones forgotten, webhooks that fail for
//! days disabled; later replay and reconciling.
//!
//! Any number of processes may run this; one has the term ([`Leadership`]) and works, the others ask for it every
//! `lead_every`. When the leader is killed another leads at its next question; when its machine vanishes, as soon as
//! whoever keeps the term gives it up (`adapter-postgres`: 30 s). In the embedded system the one process always leads.

mod ailing;
mod leader;
mod parked;
pub mod reconcile;
mod retention;

use std::sync::Arc;
use std::time::Duration;

use postrider_ports::clock::Clock;
use postrider_ports::error::PortError;
use postrider_ports::leader::Leadership;
use postrider_ports::log::{Days, LogRead, LogWrite, Retention};
use postrider_ports::queue::Parked;
use postrider_ports::registry::{Disable, Registry};
use postrider_ports::wellness::Wellness;
use postrider_runtime::health::Component;
use postrider_runtime::shutdown::Shutdown;

use crate::leader::Candidate;

pub use ailing::Nurse;
pub use parked::{Memory, Watch};
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
    /// How often webhooks that are not well are looked after: what is decided takes days, so that it need not be often.
    pub round_every: Duration,
    /// How often the term is asked for, or kept; well below the 30 s after which a silent leader loses it.
    pub lead_every: Duration,
    /// How carefully open deliveries are put back.
    pub reconcile: reconcile::Settings,
}

/// What the service stands on.
pub struct Deps {
    /// Which process leads.
    pub leadership: Arc<dyn Leadership>,
    /// What is made ready for the days to come.
    pub days: Arc<dyn Days>,
    /// What forgets.
    pub retention: Arc<dyn Retention>,
    /// Which webhooks are not well.
    pub wellness: Arc<dyn Wellness>,
    /// The webhooks.
    pub registry: Arc<dyn Registry>,
    /// Switches off webhooks that fail for days.
    pub disable: Arc<dyn Disable>,
    /// How calls ended.
    pub log: Arc<dyn LogRead>,
    /// Where it is noted which deliveries are parked.
    pub write: Arc<dyn LogWrite>,
    /// What could not be processed.
    pub parked: Arc<dyn Parked>,
    /// What tells that the broker lost its disk, and puts back what it held.
    pub reconcile: reconcile::Ports,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where it says whether it can do its work.
    pub health: Component,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention_days: 30,
            sweep_every: Duration::from_secs(3600),
            breath: Duration::from_millis(50),
            round_every: Duration::from_secs(300),
            lead_every: Duration::from_secs(5),
            reconcile: reconcile::Settings::default(),
        }
    }
}

/// Leads or follows until asked to stop. A new leader prepares the days and sweeps at once; then days are prepared when a
/// day begins, and old ones swept every `sweep_every`. What fails is logged and tried again: it costs disk, or a record
/// that waits for its partition, never a record.
pub async fn run(settings: Settings, deps: Deps, shutdown: Shutdown) -> Result<(), PortError> {
    let clock = Arc::clone(&deps.clock);
    let mut candidate = Candidate::new(settings, deps);
    loop {
        let wait = tokio::select! {
            biased;
            () = shutdown.stopping() => return Ok(()),
            wait = candidate.step() => wait,
        };
        tokio::select! {
            biased;
            () = shutdown.stopping() => return Ok(()),
            () = clock.sleep_until(clock.now().plus(wait)) => {}
        }
    }
}

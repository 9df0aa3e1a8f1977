//! The log-writer: takes records from their queue and keeps them, in batches, acknowledged after the commit.
//!
//! It does nothing else on its way, so that a slow log store never slows delivery down: it only lags, and the lag is the
//! depth of the queue. A record that cannot be stored is put aside with its reason, and never holds up its batch. While
//! the store is away nothing is consumed; the messages wait where they are durable.

pub mod batch;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBuilder};
use postrider_domain::message::{Queue, RecordsMessage};
use postrider_ports::clock::Clock;
use postrider_ports::error::PortError;
use postrider_ports::log::LogWrite;
use postrider_ports::queue::Consumers;
use postrider_runtime::health::Component;
use postrider_runtime::shutdown::Shutdown;
use tracing::error;

pub use writer::{Stepped, Writer};

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Messages taken at once; each carries up to 50 records, so a batch has at most 50 × this many rows.
    pub max_messages: usize,
    /// The first pause after the store failed.
    pub first_pause: Duration,
    /// The longest pause while it stays away.
    pub longest_pause: Duration,
}

/// What the service stands on.
pub struct Deps {
    /// Where records come from.
    pub records: Arc<dyn Consumers<RecordsMessage>>,
    /// Where they go.
    pub log: Arc<dyn LogWrite>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where it says whether it can do its work.
    pub health: Component,
}

/// 40 messages × 50 records = 2,000 rows: past a few hundred a bigger batch gains little and holds more memory.
impl Default for Settings {
    fn default() -> Self {
        Self {
            max_messages: 40,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// Writes until asked to stop; a batch that was begun is finished. A failure of queue or store is waited out, never
/// returned.
pub async fn run(settings: Settings, deps: Deps, shutdown: Shutdown) -> Result<(), PortError> {
    let pauses = || {
        ExponentialBuilder::default()
            .with_min_delay(settings.first_pause)
            .with_max_delay(settings.longest_pause)
            .without_max_times()
            .build()
    };
    let mut writer = Writer::new(deps.records.consumer(Queue::Records), deps.log, settings.max_messages);
    let mut pause = pauses();
    deps.health.ready();
    loop {
        let received = tokio::select! {
            biased;
            () = shutdown.stopping() => return Ok(()),
            received = writer.receive() => received,
        };
        let stepped = match received {
            Ok(received) => writer.keep(received).await,
            Err(fault) => Err(fault),
        };
        match stepped {
            Ok(stepped) => {
                if stepped.parked > 0 {
                    error!(parked = stepped.parked, "records could not be stored and were put aside");
                }
                deps.health.ready();
                pause = pauses();
            }
            Err(fault) => {
                deps.health.not_ready(format!("records cannot be logged: {fault}"));
                let wait = pause.next().unwrap_or(settings.longest_pause);
                tokio::select! {
                    () = shutdown.stopping() => return Ok(()),
                    () = deps.clock.sleep_until(deps.clock.now().plus(wait)) => {}
                }
            }
        }
    }
}

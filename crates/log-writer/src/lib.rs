//! The log-writer: takes records from their queue and keeps them, in batches, acknowledged after the commit.
//!
//! It does nothing else on its way, so that a slow log store never slows delivery down: it only lags, and the lag is the
//! depth of the queue. A record that cannot be stored is put aside with its reason, and never holds up its batch. While
//! the store is away nothing is consumed; the messages wait where they are durable.

pub mod batch;
mod telemetry;
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
    /// Messages of one batch at most.
    pub max_messages: usize,
    /// How long a batch stays open after its first message, so that it costs little per record.
    pub linger: Duration,
    /// A batch of so many records is written at once.
    pub enough: usize,
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

/// At most 60 messages (of the 64 that a broker hands out); at 500 records a batch closes, for past a few hundred a bigger
/// one gains little and holds more memory. Ten full messages that come at once on top make 1,000 rows at most.
///
/// A batch is six statements, and a delivery may cost a tenth of one (DESIGN §5), so a batch needs 60 deliveries: in 100 ms
/// that is 600 a second for each log-writer. With less to do the statements cost nobody anything. The price is that a
/// delivery shows in the log a tenth of a second later.
impl Default for Settings {
    fn default() -> Self {
        Self {
            max_messages: 60,
            linger: Duration::from_millis(100),
            enough: 500,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// Writes until asked to stop; a batch that was begun is written at once then. A failure of queue or store is waited out, never
/// returned.
pub async fn run(settings: Settings, deps: Deps, shutdown: Shutdown) -> Result<(), PortError> {
    let pauses = || {
        ExponentialBuilder::default()
            .with_min_delay(settings.first_pause)
            .with_max_delay(settings.longest_pause)
            .without_max_times()
            .build()
    };
    let writer = Writer::new(deps.records.consumer(Queue::Records), deps.log, settings.max_messages);
    let mut writer = writer.timed_by(Arc::clone(&deps.clock));
    let mut pause = pauses();
    deps.health.ready();
    loop {
        let received = tokio::select! {
            biased;
            () = shutdown.stopping() => return Ok(()),
            received = writer.receive() => received,
        };
        let stepped = match received {
            Ok(mut received) => {
                let over = async {
                    tokio::select! {
                        () = shutdown.stopping() => {}
                        () = deps.clock.sleep_until(deps.clock.now().plus(settings.linger)) => {}
                    }
                };
                writer.gather(&mut received, settings.enough, over).await;
                writer.keep(received).await
            }
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

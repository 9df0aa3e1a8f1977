//! The dispatcher put together: loops that run until somebody asks to stop, or single steps for tests.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::message::{DeliverMessage, EventMessage, Queue};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::Consume;
use postrider_runtime::shutdown::Shutdown;
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};

use crate::deps::Deps;
use crate::lanes::{self, Space};
use crate::settings::{InvalidSetting, Settings};
use crate::worker::Worker;
use crate::{events, settle, telemetry, wellness};

/// Hints make it look at the subscriptions at most this often.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// And looking takes at most a tenth of the time.
const SHARE_OF_LOOKS: u32 = 10;

/// Why a dispatcher ended before it was asked to.
#[derive(Debug, Error)]
pub enum Error {
    /// A number that cannot work.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A queue cannot be read, now or later: for example it holds a message of a newer version.
    #[error("queue {queue} cannot be read: {source}")]
    Queue {
        /// Its name.
        queue: &'static str,
        /// Why.
        source: PortError,
    },
    /// A defect of the dispatcher itself.
    #[error("a loop of the dispatcher panicked: {0}; this is a defect, please report it")]
    Panicked(String),
}

/// A dispatcher that is moved by hand: for tests.
///
/// Consumers must have what is there at hand when they are asked. With [`crate::settings::RecordSettings::within`] at zero
/// no step waits for the clock, unless a delivery does (a delay below a second, or a port that is away).
pub struct Dispatcher {
    worker: Arc<Worker>,
    events: Box<dyn Consume<EventMessage>>,
    lanes: Vec<(Box<dyn Consume<DeliverMessage>>, Space)>,
}

/// Runs a dispatcher until somebody asks to stop. Soft: it takes nothing new, gives back what waits in the room and
/// finishes the calls that are being made. Hard: it drops everything where it stands; nothing is lost, what was unfinished
/// is handed out again.
pub async fn run(settings: Settings, deps: Deps, shutdown: Shutdown) -> Result<(), Error> {
    settings.check()?;
    let spaces = lanes::spaces(&settings);
    let worker = Arc::new(Worker::new(settings, deps));
    telemetry::watch(&worker);
    // The loops begin at once instead of waiting for the first look.
    tokio::select! {
        biased;
        () = shutdown.stopping() => return Ok(()),
        () = async { worker.refresh().await; wellness::look(&worker).await } => {}
    }
    let mut loops: JoinSet<Result<(), Error>> = JoinSet::new();
    loops.spawn(refresh(Arc::clone(&worker)));
    loops.spawn(wellness::run(Arc::clone(&worker)));
    loops.spawn(events::run(Arc::clone(&worker)));
    for (lane, space) in spaces {
        loops.spawn(lanes::run(Arc::clone(&worker), lane, space));
    }
    tokio::select! {
        biased;
        // Dropping the loops drops their tasks, and with them every lease.
        () = shutdown.hard() => Ok(()),
        ended = until_ended(&worker, &mut loops, &shutdown) => ended,
    }
}

/// The first fault stops all loops, as does the wish to stop; then they finish what they hold.
async fn until_ended(
    worker: &Worker,
    loops: &mut JoinSet<Result<(), Error>>,
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    tokio::select! {
        biased;
        () = shutdown.stopping() => {}
        Some(ended) = loops.join_next() => outcome = flat(ended),
    }
    worker.stop.cancel();
    while let Some(ended) = loops.join_next().await {
        outcome = outcome.and(flat(ended));
    }
    outcome
}

fn flat(ended: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    match ended {
        Ok(result) => result,
        Err(joined) if joined.is_panic() => {
            Err(Error::Panicked(settle::panic_text(joined.into_panic().as_ref())))
        }
        Err(joined) => Err(Error::Panicked(joined.to_string())),
    }
}

/// Verifies the index again and again: every so often, and when something may have changed.
async fn refresh(worker: Arc<Worker>) -> Result<(), Error> {
    let clock = &worker.deps.clock;
    let looking = async {
        loop {
            let begun = worker.now();
            worker.refresh().await;
            let took = worker.now().since(begun);
            tokio::select! {
                () = clock.sleep_until(begun.plus(worker.settings.refresh)) => {}
                // Hints may come in any number. A space with 10,000 webhooks takes some milliseconds to arrange anew: while
                // they are made one by one, most of the time is left for others.
                () = worker.deps.subscriptions.hint() => {
                    let pause = (SHARE_OF_LOOKS * took).clamp(BETWEEN_LOOKS, worker.settings.refresh.max(BETWEEN_LOOKS));
                    clock.sleep_until(begun.plus(pause)).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = worker.stop.cancelled() => Ok(()),
        () = looking => Ok(()),
    }
}

impl Dispatcher {
    /// A dispatcher over these ports.
    pub fn new(settings: Settings, deps: Deps) -> Result<Self, InvalidSetting> {
        settings.check()?;
        let events = deps.events.consumer(Queue::Events);
        let consumer = |lane| deps.deliveries.consumer(Queue::Deliver(lane));
        let lanes = lanes::spaces(&settings).map(|(lane, space)| (consumer(lane), space)).into();
        Ok(Self { worker: Arc::new(Worker::new(settings, deps)), events, lanes })
    }

    /// Matches the events that are there, until there are none. Returns how many.
    pub async fn match_step(&mut self) -> PortResult<usize> {
        self.worker.refresh().await;
        let mut all = 0;
        loop {
            match events::step(&self.worker, &mut *self.events).await? {
                0 => return Ok(all),
                events => all += events,
            }
        }
    }

    /// Carries out the deliveries that are there, lane by lane, until there are none. Returns how many messages.
    pub async fn deliver_step(&mut self) -> PortResult<usize> {
        self.worker.refresh().await;
        wellness::look(&self.worker).await;
        let mut all = 0;
        loop {
            let before = all;
            for (consumer, space) in &mut self.lanes {
                all += lanes::step(&self.worker, &mut **consumer, space).await?;
            }
            if all == before {
                return Ok(all);
            }
        }
    }
}

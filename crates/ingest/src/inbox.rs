//! The second door: what a CMS publishes to the broker (DESIGN §2, §4.1). Who may publish there, the broker decides.
//!
//! - An input is acknowledged once everything that it caused is confirmed.
//! - What is malformed is parked with its reason: what, where, how to mend it. It comes again when a person says so.
//! - When something of ours is away, an input is given back and the door pauses, longer each time, and says so in the
//!   health, until it works again. What fails for good is rejected, so that the queue parks it once its patience ends.
//! - Inputs are taken in batches, and claimed and published together by space; what becomes of one is no matter to the
//!   others.
//! - Above `max_backlog` nothing is taken; inputs wait in the broker. Over the rate of their space they wait here, each
//!   space in its own line; when the room for them is full nothing more is taken, since the inbox is one queue for all.

mod input;
mod routing_key;
mod waiting;
mod worker;

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::stream::{FuturesUnordered, StreamExt};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::inbox::{Arrived, Inbox, Inboxes};
use postrider_runtime::shutdown::Shutdown;

use crate::condition::Condition;
use crate::rate::Rates;
use crate::{Deps, Settings};
use waiting::{Taken, Waiting};
use worker::{Done, Worker};

/// Batches in work at once: while one waits for its confirms the next is read and claimed. More would only make batches
/// smaller.
const JOBS: usize = 4;
/// The first pause when something is away; each that follows is twice as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer, so that work goes on within 3 s after the fault is mended, a new connection included.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The door, as a part of the service.
const PART: &str = "inbox";

/// Takes inputs in until asked to stop. Then it finishes what is being accepted and gives back the rest.
pub(crate) async fn run(
    settings: &Settings,
    deps: &Deps,
    inboxes: &dyn Inboxes,
    condition: &Condition,
    shutdown: &Shutdown,
) {
    let worker = Worker::new(settings, deps);
    let mut door = Door {
        worker: &worker,
        condition,
        rates: Rates::new(settings.per_space_events_per_second, settings.max_batch_events),
        waiting: Waiting::default(),
        jobs: FuturesUnordered::new(),
        held: 0,
        held_bytes: 0,
        pause: Pause::default(),
    };
    let mut inbox = inboxes.inbox();
    tokio::select! {
        biased;
        () = shutdown.hard() => {}
        () = door.serve(inbox.as_mut(), shutdown) => {}
    }
}

/// The state of the loop. Jobs borrow the worker, and run nowhere but here.
struct Door<'w> {
    worker: &'w Worker<'w>,
    condition: &'w Condition,
    rates: Rates,
    waiting: Waiting,
    jobs: FuturesUnordered<BoxFuture<'w, Done>>,
    /// Inputs taken and not ended, and the bytes of their bodies.
    held: usize,
    held_bytes: usize,
    pause: Pause,
}

/// What happens next.
enum Step {
    Arrived(PortResult<Vec<Arrived>>),
    Done(Done),
    /// Something that was waited for may be due.
    Look,
    Stop,
}

/// How long the door rests after a failure.
#[derive(Default)]
struct Pause {
    length: Duration,
    until: Option<Timestamp>,
    /// Something failed, and nothing succeeded since.
    hindered: bool,
}

impl Door<'_> {
    async fn serve(&mut self, inbox: &mut dyn Inbox, shutdown: &Shutdown) {
        loop {
            self.start_due();
            match self.next(inbox, shutdown).await {
                Step::Arrived(Ok(arrived)) => self.begin(arrived),
                Step::Arrived(Err(fault)) => self.hinder(format!("the inbox cannot be read: {fault}")),
                Step::Done(done) => self.note(done),
                Step::Look => {}
                Step::Stop => return self.stop().await,
            }
        }
    }

    async fn next(&mut self, inbox: &mut dyn Inbox, shutdown: &Shutdown) -> Step {
        let (settings, deps) = (self.worker.settings, self.worker.deps);
        let now = deps.clock.now();
        let room = settings.inbox_room.saturating_sub(self.held);
        let has_room = room > 0 && self.jobs.len() < JOBS && self.held_bytes < settings.max_bytes_in_flight;
        let pause = self.pause.until.filter(|until| *until > now);
        let wake = match pause {
            Some(until) => Some(until),
            // Hindered by what only this input met, and then nothing more came: nothing says that it still is so.
            None if self.pause.hindered && self.held == 0 => Some(now.plus(LONGEST_PAUSE)),
            None => self.waiting.next(),
        };
        tokio::select! {
            biased;
            () = shutdown.stopping() => Step::Stop,
            Some(done) = self.jobs.next() => Step::Done(done),
            arrived = take(inbox, settings.inbox_batch.clamp(1, room.max(1)), self.worker), if has_room && pause.is_none() => {
                Step::Arrived(arrived)
            }
            () = sleep(deps, wake) => {
                if pause.is_none() && self.held == 0 {
                    self.recover();
                }
                Step::Look
            }
        }
    }

    /// Starts the reading of what arrived.
    fn begin(&mut self, arrived: Vec<Arrived>) {
        self.held += arrived.len();
        self.held_bytes += arrived.iter().map(|one| one.body.len()).sum::<usize>();
        self.jobs.push(Box::pin(self.worker.read(arrived)));
    }

    /// Starts the accepting of what was read, as the rates of spaces allow.
    fn start_due(&mut self) {
        let now = self.worker.deps.clock.now();
        if self.pause.until.is_some_and(|until| until > now) {
            return;
        }
        for (space, taken) in self.waiting.due(&self.rates, now) {
            self.jobs.push(Box::pin(self.worker.accept(space, taken)));
        }
    }

    fn note(&mut self, done: Done) {
        self.held -= done.ended;
        self.held_bytes -= done.ended_bytes;
        self.waiting.push(done.read);
        match done.trouble {
            Some(trouble) => self.hinder(trouble),
            None if done.accepted > 0 => self.recover(),
            None => {}
        }
    }

    fn hinder(&mut self, why: String) {
        self.condition.hindered(PART, why);
        self.pause.begin(self.worker.deps.clock.now());
    }

    fn recover(&mut self) {
        if self.pause.hindered {
            self.condition.well(PART);
            self.pause = Pause::default();
        }
    }

    /// Finishes what is being accepted; what was only read goes back.
    async fn stop(&mut self) {
        give_back(self.waiting.drain()).await;
        while let Some(done) = self.jobs.next().await {
            give_back(done.read).await;
        }
    }
}

impl Pause {
    /// Many failures of one moment make one pause.
    fn begin(&mut self, now: Timestamp) {
        self.hindered = true;
        if self.until.is_none_or(|until| now >= until) {
            self.length = (2 * self.length).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            self.until = Some(now.plus(self.length));
        }
    }
}

/// Waits for inputs, as long as not too much waits behind the door. May be dropped while it waits.
async fn take(inbox: &mut dyn Inbox, max: usize, worker: &Worker<'_>) -> PortResult<Vec<Arrived>> {
    let (pressure, most) = (&worker.deps.pressure, worker.settings.max_backlog);
    loop {
        pressure.until(|waiting| waiting <= most).await;
        tokio::select! {
            biased;
            () = pressure.until(|waiting| waiting > most) => {}
            arrived = inbox.receive(max) => return arrived,
        }
    }
}

/// A lease that cannot be given back ends with its connection: the input comes again either way.
async fn give_back(taken: Vec<Taken>) {
    drop(join_all(taken.into_iter().map(|one| one.held.lease.release())).await);
}

async fn sleep(deps: &Deps, until: Option<Timestamp>) {
    match until {
        Some(until) => deps.clock.sleep_until(until).await,
        None => std::future::pending().await,
    }
}

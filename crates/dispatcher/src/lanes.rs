//! Receiving deliveries, lane by lane: never more than the room has space for, and never so much of what waited or of bulk
//! that fresh deliveries find no space (DESIGN §4.4).

use std::sync::Arc;

use postrider_domain::message::{BUNDLE_LIMIT, DeliverMessage, Lane, Queue};
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Consume, Received};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::Error;
use crate::admit::admit;
use crate::settings::Settings;
use crate::settle::carry_out;
use crate::worker::{Stopping, Worker};

/// Messages taken at once at most: fresh ones come in numbers, the others need not hurry.
const fn batch(lane: Lane) -> usize {
    match lane {
        Lane::Fresh => 64,
        Lane::Late | Lane::Bulk => 16,
    }
}

/// The space that one lane may take.
pub(crate) struct Space {
    room: Arc<Semaphore>,
    lane: Arc<Semaphore>,
    batch: usize,
}

/// Reserved places: what may be received must have a place before it is.
pub(crate) struct Slots {
    room: OwnedSemaphorePermit,
    lane: OwnedSemaphorePermit,
}

/// The space of each lane: what waited gets at most half of the room, fresh all of it, and bulk a quarter of the permits: if
/// all of it is being called and none answers, three quarters are left for the others.
pub(crate) fn spaces(settings: &Settings) -> [(Lane, Space); 3] {
    let room = settings.room;
    let bulk = (settings.shares.permits / 4).clamp(BUNDLE_LIMIT, room / 4);
    let whole = Arc::new(Semaphore::new(room));
    [(Lane::Fresh, room), (Lane::Late, room / 2), (Lane::Bulk, bulk)].map(|(lane, size)| {
        let space =
            Space { room: Arc::clone(&whole), lane: Arc::new(Semaphore::new(size)), batch: batch(lane) };
        (lane, space)
    })
}

/// Receives and carries out the deliveries of one lane until somebody asks to stop, then finishes what it holds.
pub(crate) async fn run(worker: Arc<Worker>, lane: Lane, space: Space) -> Result<(), Error> {
    let queue = Queue::Deliver(lane);
    let mut consumer = worker.deps.deliveries.consumer(queue);
    let mut tasks = JoinSet::new();
    let mut fault = None;
    while let Ok((slots, received)) =
        reaping(&worker, &mut tasks, take(&worker, lane, &mut *consumer, &space)).await
    {
        match received {
            Ok(batch) => start(&worker, &mut tasks, batch, slots).await,
            Err(error) if error.is_transient() => worker.pause.trouble(&error.to_string()),
            Err(source) => {
                fault = Some(Error::Queue { queue: queue.as_str(), source });
                break;
            }
        }
    }
    // What it had taken in advance goes back at once.
    drop(consumer);
    drain(&worker, &mut tasks).await;
    fault.map_or(Ok(()), Err)
}

/// Carries out what is there now, unless nothing may be taken; returns how many messages that were. Never waits for one.
pub(crate) async fn step(
    worker: &Arc<Worker>,
    consumer: &mut dyn Consume<DeliverMessage>,
    space: &Space,
) -> PortResult<usize> {
    use futures::FutureExt;
    let ready = async {
        worker.may_consume().await;
        space.reserve().await
    };
    let Some(slots) = ready.now_or_never() else { return Ok(0) };
    let Some(received) = consumer.receive(slots.messages()).now_or_never() else { return Ok(0) };
    let batch = received?;
    let messages = batch.len();
    let mut tasks = JoinSet::new();
    start(worker, &mut tasks, batch, slots).await;
    drain(worker, &mut tasks).await;
    Ok(messages)
}

async fn take(
    worker: &Worker,
    lane: Lane,
    consumer: &mut dyn Consume<DeliverMessage>,
    space: &Space,
) -> (Slots, PortResult<Vec<Received<DeliverMessage>>>) {
    loop {
        if lane == Lane::Bulk {
            while let Some(at) = worker.bulk.not_before(worker.now()) {
                worker.deps.clock.sleep_until(at).await;
            }
        }
        worker.may_consume().await;
        let slots = space.reserve().await;
        // Beside others a little at a time: many bundles at once would be felt as a jolt.
        let a_little = lane == Lane::Bulk && !worker.bulk.is_alone(worker.now());
        let receiving = consumer.receive(if a_little { 1 } else { slots.messages() });
        if let Some(received) = worker.while_trusted(receiving).await {
            let deliveries = received.iter().flatten().map(|one| one.message.targets.len()).sum();
            match lane {
                Lane::Bulk => worker.bulk.took(deliveries, worker.now()),
                Lane::Fresh | Lane::Late => worker.bulk.others_took(deliveries, worker.now()),
            }
            return (slots, received);
        }
    }
}

async fn start(
    worker: &Arc<Worker>,
    tasks: &mut JoinSet<()>,
    batch: Vec<Received<DeliverMessage>>,
    slots: Slots,
) {
    for (ticket, plan) in admit(worker, batch, slots).await {
        let worker = Arc::clone(worker);
        tasks.spawn(async move { carry_out(&worker, ticket, plan).await });
    }
}

/// Does something while tasks end, until somebody asks to stop.
pub(crate) async fn reaping<T>(
    worker: &Worker,
    tasks: &mut JoinSet<()>,
    work: impl Future<Output = T>,
) -> Result<T, Stopping> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            () = worker.stop.cancelled() => return Err(Stopping),
            done = &mut work => return Ok(done),
            Some(ended) = tasks.join_next() => note(worker, ended),
        }
    }
}

/// Waits until no task is left.
pub(crate) async fn drain(worker: &Worker, tasks: &mut JoinSet<()>) {
    while !tasks.is_empty() {
        drain_one(worker, tasks).await;
    }
}

/// Waits until one task less is left.
pub(crate) async fn drain_one(worker: &Worker, tasks: &mut JoinSet<()>) {
    if let Some(ended) = tasks.join_next().await {
        note(worker, ended);
    }
}

/// A task that panicked has let go of its lease: the message comes back.
fn note(worker: &Worker, ended: Result<(), tokio::task::JoinError>) {
    let Err(joined) = ended else { return };
    if joined.is_panic() {
        error!(error = %joined, "a task of the dispatcher panicked");
        worker.pause.trouble("a task of the dispatcher panicked");
    } else {
        warn!("a task of the dispatcher was cut off");
    }
}

impl Space {
    /// Waits until a full bundle has space, and reserves for more if half of what is free allows it.
    async fn reserve(&self) -> Slots {
        let bundle = u32::try_from(BUNDLE_LIMIT).unwrap_or(u32::MAX);
        let both = async {
            let lane = Arc::clone(&self.lane).acquire_many_owned(bundle).await;
            (lane, Arc::clone(&self.room).acquire_many_owned(bundle).await)
        };
        let (Ok(lane), Ok(room)) = both.await else {
            // Nobody closes these semaphores.
            return std::future::pending().await;
        };
        let mut slots = Slots { room, lane };
        let free = self.room.available_permits().min(self.lane.available_permits());
        let more = (free / 2 / BUNDLE_LIMIT).min(self.batch - 1) * BUNDLE_LIMIT;
        slots.widen(self, u32::try_from(more).unwrap_or(0));
        slots
    }
}

impl Slots {
    /// Messages that have space, however many targets each has.
    pub(crate) fn messages(&self) -> usize {
        (self.room.num_permits() / BUNDLE_LIMIT).max(1)
    }

    /// One place, for one target.
    pub(crate) fn take(&mut self) -> Vec<OwnedSemaphorePermit> {
        [self.room.split(1), self.lane.split(1)].into_iter().flatten().collect()
    }

    fn widen(&mut self, space: &Space, by: u32) {
        let Ok(lane) = Arc::clone(&space.lane).try_acquire_many_owned(by) else { return };
        let Ok(room) = Arc::clone(&space.room).try_acquire_many_owned(by) else { return };
        self.lane.merge(lane);
        self.room.merge(room);
    }
}

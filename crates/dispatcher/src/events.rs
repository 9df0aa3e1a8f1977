//! From accepted events to deliveries: match, join windows, publish, register, record, acknowledge, a batch at a time.
//! Idempotent: delivery ids are derived, and what is published while handling a suspect is a suspect itself.
//!
//! The far end of a huge fan-out goes out beside everything else, a little at a time: neither the events behind it nor the
//! first webhooks of its own wait for it, and what it takes of memory and of the way to the broker is bounded.

use std::iter::Peekable;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use postrider_domain::message::{DeliverMessage, EventMessage, Queue};
use postrider_domain::record::Record;
use postrider_ports::error::{PortError, PortErrorKind, PortResult};
use postrider_ports::queue::{Consume, Lease, Outgoing, Received};
use postrider_ports::windows::{Entry, Opening};
use postrider_runtime::trace::Span;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::Error;
use crate::fanout::Fanout;
use crate::lanes::{drain, drain_one, reaping};
use crate::matching::match_event;
use crate::recorder::Submission;
use crate::settle::panic_text;
use crate::telemetry::{self, Stage};
use crate::worker::Worker;

/// Messages published at once: a fan-out to 4,096 webhooks.
const PUBLISHED_AT_ONCE: usize = 256;
/// The same of a far end: 512 webhooks, a sixteenth of what a process has on its way to the broker at most.
const FAR_AT_ONCE: usize = 32;
/// Events are matched together until so many deliveries come of them: 4,096 at some 150 bytes are 600 KiB, and the last
/// event may bring as many as its space has webhooks.
const MATCHED_AT_ONCE: usize = 4096;
/// Far ends of one batch that are on their way side by side.
const FAR_ENDS: usize = 2;

/// An event that was matched, with its lease.
struct Work {
    fanout: Fanout,
    suspect: bool,
    lease: Box<dyn Lease>,
    /// Ends when everything the event caused is durable.
    span: Span,
}

/// Receives and matches events until somebody asks to stop, then finishes what it holds.
pub(crate) async fn run(worker: Arc<Worker>) -> Result<(), Error> {
    let mut consumer = worker.deps.events.consumer(Queue::Events);
    let mut tasks = JoinSet::new();
    let mut fault = None;
    loop {
        while tasks.len() >= worker.settings.event_concurrency {
            drain_one(&worker, &mut tasks).await;
        }
        match reaping(&worker, &mut tasks, take(&worker, &mut *consumer)).await {
            Err(_stopping) => break,
            Ok(Ok(batch)) => {
                let worker = Arc::clone(&worker);
                tasks.spawn(async move { handle(&worker, batch).await });
            }
            Ok(Err(error)) if error.is_transient() => worker.pause.trouble(&error.to_string()),
            Ok(Err(source)) => {
                fault = Some(Error::Queue { queue: Queue::Events.as_str(), source });
                break;
            }
        }
    }
    drop(consumer);
    drain(&worker, &mut tasks).await;
    fault.map_or(Ok(()), Err)
}

async fn take(
    worker: &Worker,
    consumer: &mut dyn Consume<EventMessage>,
) -> PortResult<Vec<Received<EventMessage>>> {
    loop {
        worker.may_consume().await;
        let receiving = consumer.receive(worker.settings.event_batch);
        if let Some(received) = worker.while_trusted(receiving).await {
            return received;
        }
    }
}

/// Handles what is there now, unless nothing may be taken; returns how many events that were. Never waits for an event.
pub(crate) async fn step(worker: &Worker, consumer: &mut dyn Consume<EventMessage>) -> PortResult<usize> {
    if worker.may_consume().now_or_never().is_none() {
        return Ok(0);
    }
    let Some(received) = consumer.receive(worker.settings.event_batch).now_or_never() else { return Ok(0) };
    let batch = received?;
    let events = batch.len();
    handle(worker, batch).await;
    Ok(events)
}

async fn handle(worker: &Worker, batch: Vec<Received<EventMessage>>) {
    let mut batch = batch.into_iter().peekable();
    let mut far_ends = FuturesUnordered::new();
    while batch.peek().is_some() {
        let huge = beside(&mut far_ends, near_ends(worker, &mut batch)).await;
        for work in huge {
            while far_ends.len() >= FAR_ENDS {
                far_ends.next().await;
            }
            far_ends.push(far_end(worker, work));
        }
    }
    while far_ends.next().await.is_some() {}
}

/// Does something while far ends go on.
async fn beside<T>(
    far_ends: &mut FuturesUnordered<impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(()) = far_ends.next() => {}
        }
    }
}

/// Handles some events of a batch up to their far ends; answers those that have one.
async fn near_ends(
    worker: &Worker,
    batch: &mut Peekable<impl Iterator<Item = Received<EventMessage>>>,
) -> Vec<Work> {
    let begun = worker.now();
    let (mut works, mut deliveries) = (Vec::new(), 0);
    while deliveries < MATCHED_AT_ONCE
        && let Some(received) = batch.next()
    {
        let Some(work) = match_one(worker, received).await else { continue };
        deliveries += work.fanout.wanted();
        works.push(work);
    }
    join_windows(worker, &mut works).await;
    let works = publish_all(worker, works).await;
    worker.metrics.stage(Stage::Match).record(worker.now().since(begun));
    register(worker, &works).await;
    let bulk_after = worker.settings.bulk_after;
    let (huge, others): (Vec<Work>, Vec<Work>) =
        works.into_iter().partition(|work| work.fanout.has_far_end(bulk_after));
    join_all(others.into_iter().map(|work| finish(worker, work))).await;
    huge
}

/// Publishes the far end of a huge fan-out, and finishes it.
async fn far_end(worker: &Worker, work: Work) {
    let published = async {
        let mut messages = work.fanout.far_end(worker.settings.bulk_after).peekable();
        while messages.peek().is_some() {
            publish_some(worker, messages.by_ref().take(FAR_AT_ONCE).collect()).await?;
        }
        Ok(())
    };
    match published.await {
        Ok(()) => finish(worker, work).await,
        Err(error) => {
            work.span.fail("publishing", PortError::to_string(&error));
            give_back(worker, work.lease, &error).await;
        }
    }
}

/// `None` when its lease was ended instead.
async fn match_one(worker: &Worker, received: Received<EventMessage>) -> Option<Work> {
    let Received { message, suspect, redeliveries, trace, lease } = received;
    let suspect = suspect || redeliveries > 0;
    let event = message.event;
    worker.metrics.age(Queue::Events).record(worker.now().since(event.head.accepted_at));
    let span = telemetry::matching(&event.head, &trace);
    let matching = async {
        let index = worker.spaces.space(&event.head.scope.space).await?;
        match_event(&index, &event, worker.deps.bodies.as_ref()).await
    };
    match span.run(AssertUnwindSafe(matching).catch_unwind()).await {
        Ok(Ok(matched)) => {
            span.note(|span| {
                span.set("postrider.matched", i64::try_from(matched.wanted.len()).unwrap_or(i64::MAX));
            });
            let fanout = Fanout::new(event, matched, suspect, telemetry::context_of(&span));
            return Some(Work { fanout, suspect, lease, span });
        }
        Ok(Err(error)) => {
            span.fail("matching", error.to_string());
            give_back(worker, lease, &error).await;
        }
        Err(panic) => {
            let reason = format!("matching panicked: {}", panic_text(panic.as_ref()));
            error!(event = %event.head.id, reason, "an event is rejected");
            span.fail("panic", reason.clone());
            note(worker, lease.reject(&reason).await);
        }
    }
    None
}

/// Without the windows every delivery is on its own: more calls, never fewer.
async fn join_windows(worker: &Worker, works: &mut [Work]) {
    let openings: Vec<Opening> = works.iter().flat_map(|work| work.fanout.openings()).collect();
    if openings.is_empty() {
        return;
    }
    match worker.deps.windows.join(&openings).await {
        Ok(ends) => {
            let mut ends = ends.into_iter();
            for work in works {
                work.fanout.joined(&mut ends);
            }
        }
        Err(error) => warn!(%error, "windows cannot be joined; each delivery waits on its own"),
    }
}

/// Publishes the messages of all but their far ends; those whose messages cannot be published are given back.
async fn publish_all(worker: &Worker, works: Vec<Work>) -> Vec<Work> {
    let bulk_after = worker.settings.bulk_after;
    let messages = works.iter().flat_map(|work| work.fanout.near_end(bulk_after)).collect();
    let Err(error) = publish(worker, messages).await else { return works };
    if error.kind == PortErrorKind::Transient || works.len() == 1 {
        for work in works {
            work.span.fail("publishing", error.to_string());
            give_back(worker, work.lease, &error).await;
        }
        return Vec::new();
    }
    // One of them cannot be published: the others must not suffer for it.
    let mut published = Vec::with_capacity(works.len());
    for work in works {
        match publish(worker, work.fanout.near_end(bulk_after).collect()).await {
            Ok(()) => published.push(work),
            Err(error) => {
                work.span.fail("publishing", error.to_string());
                give_back(worker, work.lease, &error).await;
            }
        }
    }
    published
}

async fn publish(worker: &Worker, mut messages: Vec<Outgoing<DeliverMessage>>) -> PortResult<()> {
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(PUBLISHED_AT_ONCE));
        publish_some(worker, messages).await?;
        messages = rest;
    }
    Ok(())
}

async fn publish_some(worker: &Worker, messages: Vec<Outgoing<DeliverMessage>>) -> PortResult<()> {
    let publishing = worker.pause.insist(|repeated| {
        let mut batch = messages.clone();
        for one in &mut batch {
            one.suspect |= repeated;
        }
        worker.deps.deliver.publish(batch)
    });
    publishing.await
}

/// Only what was confirmed may make older deliveries superfluous.
async fn register(worker: &Worker, works: &[Work]) {
    let confirmed: Vec<Entry> = works.iter().flat_map(|work| work.fanout.registrations()).collect();
    if confirmed.is_empty() {
        return;
    }
    if let Err(error) = worker.deps.windows.register(&confirmed).await {
        warn!(%error, "windows cannot be told of their newest; older states are sent too");
    }
}

async fn finish(worker: &Worker, work: Work) {
    let Work { fanout, suspect, lease, span } = work;
    let trace = fanout.trace().clone();
    let parts = fanout.records(worker.now()).into_iter().map(|part| {
        let records = vec![Record::Matched(part)];
        worker.recorder.submit(Submission { records, suspect, trace: trace.clone() })
    });
    // To the end even if one fails: others' records may be in the message of any.
    match join_all(parts).await.into_iter().collect::<PortResult<()>>() {
        Ok(()) => note(worker, lease.ack().await),
        Err(error) => {
            span.fail("recording", error.to_string());
            give_back(worker, lease, &error).await;
        }
    }
    span.end();
}

async fn give_back(worker: &Worker, lease: Box<dyn Lease>, error: &PortError) {
    if error.is_transient() {
        worker.pause.trouble(&error.to_string());
        note(worker, lease.release().await);
    } else {
        error!(%error, "an event is rejected");
        note(worker, lease.reject(&error.to_string()).await);
    }
}

/// A lease that could not be ended comes back by itself, as redelivered.
fn note(worker: &Worker, ended: PortResult<()>) {
    match ended {
        Ok(()) => worker.pause.success(),
        Err(error) => {
            warn!(%error, "a lease could not be ended");
            worker.pause.trouble(&error.to_string());
        }
    }
}

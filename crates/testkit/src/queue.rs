//! The queues in memory: they do everything that the suite asks for, and nothing of them outlives the process.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Queue, RecordsMessage, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{
    Consume, Consumers, Depth, Depths, HeldDelivery, Lease, Message, Outgoing, Parked, ParkedMessage,
    Publish, Received,
};
use postrider_wire::{DecodeError, Wire};
use tokio::sync::Notify;

/// A message that was rejected this often is parked (DESIGN §4.2).
const DELIVERY_LIMIT: u32 = 20;
/// What is due at once is due since ever, so that it goes back to its old place.
const AT_ONCE: Timestamp = Timestamp::from_unix_ms(0);

/// All queues. Clones mean the same.
#[derive(Clone)]
pub struct MemoryQueue {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    drawn: i64,
    ready: BTreeMap<(Queue, Timestamp, i64), Kept>,
    leased: HashMap<i64, (Queue, Timestamp, Kept)>,
    parked: BTreeMap<i64, (ParkedMessage, TraceContext)>,
    refusals: usize,
}

#[derive(Clone, Default)]
struct Kept {
    suspect: bool,
    redeliveries: u32,
    failures: u32,
    trace: TraceContext,
    body: Vec<u8>,
}

/// A kind of message that these queues hold.
pub trait Queued: Message + Wire {
    /// Where it goes when it is put off.
    fn put_off(&self) -> Queue {
        self.queue()
    }

    /// Says in itself where it is.
    fn set_queue(&mut self, _queue: Queue) {}
}

impl Queued for EventMessage {}
impl Queued for RecordsMessage {}
impl Queued for DeliverMessage {
    fn put_off(&self) -> Queue {
        Queue::Deliver(Lane::Late)
    }

    fn set_queue(&mut self, queue: Queue) {
        if let Queue::Deliver(lane) = queue {
            self.lane = lane;
        }
    }
}

impl MemoryQueue {
    /// Empty queues.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, State::default())
    }

    fn with(clock: Arc<dyn Clock>, state: State) -> Self {
        Self { shared: Arc::new(Shared { clock, state: Mutex::new(state), wake: Notify::new() }) }
    }

    /// The queues as a new process would find them after a kill of this one, which is left with empty queues.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let mut state = std::mem::take(&mut *self.shared.lock());
        for (seq, (queue, due, mut kept)) in std::mem::take(&mut state.leased) {
            kept.redeliveries += 1;
            kept.failures += 1;
            if kept.failures >= DELIVERY_LIMIT {
                let why = "whoever held it never came to an end with it";
                state.park(queue.as_str(), why, self.shared.clock.now(), kept);
            } else {
                state.ready.insert((queue, due, seq), kept);
            }
        }
        Self::with(Arc::clone(&self.shared.clock), state)
    }

    /// Lets the next `count` publishes fail, storing nothing.
    pub fn refuse_publishes(&self, count: usize) {
        self.shared.lock().refusals = count;
    }

    /// What waits in a queue, with the instant it is put off to, without receiving it.
    ///
    /// # Panics
    /// When a message is not of this kind.
    pub fn waiting<M: Queued>(&self, queue: Queue) -> Vec<(M, Option<Timestamp>)> {
        self.outgoing(queue).into_iter().map(|one| (one.message, one.not_before)).collect()
    }

    /// What waits in a queue, as it was published.
    ///
    /// # Panics
    /// When a message is not of this kind.
    pub fn outgoing<M: Queued>(&self, queue: Queue) -> Vec<Outgoing<M>> {
        let state = self.shared.lock();
        let of_queue = state.ready.iter().filter(|((of, ..), _)| *of == queue);
        of_queue
            .map(|((_, due, _), kept)| {
                let mut message = M::decode(&kept.body).expect("the queue holds this kind of message");
                message.set_queue(queue);
                Outgoing {
                    message,
                    not_before: Some(*due).filter(|due| *due != AT_ONCE),
                    suspect: kept.suspect,
                    trace: kept.trace.clone(),
                }
            })
            .collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a lease; `None` when the queues were reopened since.
    fn end(&self, seq: i64) -> Option<(Queue, Timestamp, Kept)> {
        self.lock().leased.remove(&seq)
    }

    fn put_back(&self, seq: i64, (queue, due, kept): (Queue, Timestamp, Kept)) {
        self.lock().ready.insert((queue, due, seq), kept);
        self.wake.notify_waiters();
    }

    fn park(&self, queue: &str, reason: &str, kept: Kept) {
        self.lock().park(queue, reason, self.clock.now(), kept);
    }

    /// Claims the first messages that are due, else says when the next will be.
    fn claim<M: Queued>(
        self: &Arc<Self>,
        queue: Queue,
        max: usize,
    ) -> PortResult<Result<Vec<Received<M>>, Option<Timestamp>>> {
        let now = self.clock.now();
        let mut received = Vec::new();
        while received.len() < max.max(1) {
            let mut state = self.lock();
            let first = state.ready.range((queue, AT_ONCE, 0)..).next().map(|(key, _)| *key);
            let Some(key @ (_, due, seq)) = first.filter(|(of, ..)| *of == queue) else { break };
            if due > now {
                break;
            }
            let decoded = M::decode(&state.ready[&key].body);
            if let Err(DecodeError::Newer { found, known }) = &decoded {
                if received.is_empty() {
                    let queue = queue.as_str();
                    let what = format!("queue {queue} begins with wire version {found}, known is {known}");
                    return Err(PortError::permanent(what));
                }
                break;
            }
            let Some(kept) = state.ready.remove(&key) else { break };
            match decoded {
                Ok(mut message) => {
                    message.set_queue(queue);
                    received.push(Received {
                        message,
                        suspect: kept.suspect || kept.redeliveries > 0,
                        redeliveries: kept.redeliveries,
                        trace: kept.trace.clone(),
                        lease: Box::new(MemoryLease { shared: Arc::clone(self), seq }),
                    });
                    state.leased.insert(seq, (queue, due, kept));
                }
                Err(error) => {
                    drop(state);
                    self.park(queue.as_str(), &error.to_string(), kept);
                }
            }
        }
        if !received.is_empty() {
            return Ok(Ok(received));
        }
        let state = self.lock();
        let next = state.ready.range((queue, AT_ONCE, 0)..).next();
        Ok(Err(next.filter(|((of, ..), _)| *of == queue).map(|((_, due, _), _)| *due)))
    }
}

/// The deliveries that wait for a message of this queue.
fn holds(queue: &str, body: &[u8]) -> Vec<HeldDelivery> {
    match (Queue::parse(queue), DeliverMessage::decode(body)) {
        (Some(Queue::Deliver(_)), Ok(message)) => HeldDelivery::of(&message),
        _ => Vec::new(),
    }
}

impl State {
    fn park(&mut self, queue: &str, reason: &str, now: Timestamp, kept: Kept) {
        let id = self.draw();
        let message = ParkedMessage {
            id,
            queue: queue.to_owned(),
            reason: reason.to_owned(),
            parked_at: now,
            deliveries: kept.redeliveries,
            holds: holds(queue, &kept.body),
            body: kept.body,
        };
        self.parked.insert(id, (message, kept.trace));
    }

    fn draw(&mut self) -> i64 {
        self.drawn += 1;
        self.drawn
    }
}

#[async_trait]
impl<M: Queued> Publish<M> for MemoryQueue {
    async fn publish(&self, batch: Vec<Outgoing<M>>) -> PortResult<()> {
        {
            let mut state = self.shared.lock();
            if state.refusals > 0 {
                state.refusals -= 1;
                return Err(PortError::transient("the test refuses to publish"));
            }
            for outgoing in batch {
                let (queue, due) = match outgoing.not_before {
                    Some(at) => (outgoing.message.put_off(), at),
                    None => (outgoing.message.queue(), AT_ONCE),
                };
                let body = outgoing.message.encode();
                let kept = Kept { suspect: outgoing.suspect, trace: outgoing.trace, body, ..Kept::default() };
                let seq = state.draw();
                state.ready.insert((queue, due, seq), kept);
            }
        }
        self.shared.wake.notify_waiters();
        Ok(())
    }
}

struct MemoryConsumer<M> {
    shared: Arc<Shared>,
    queue: Queue,
    message: PhantomData<fn() -> M>,
}

impl<M: Queued> Consumers<M> for MemoryQueue {
    fn consumer(&self, queue: Queue) -> Box<dyn Consume<M>> {
        Box::new(MemoryConsumer { shared: Arc::clone(&self.shared), queue, message: PhantomData })
    }
}

#[async_trait]
impl<M: Queued> Consume<M> for MemoryConsumer<M> {
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Received<M>>> {
        loop {
            let mut woken = std::pin::pin!(self.shared.wake.notified());
            // From here on nothing that becomes ready is missed.
            woken.as_mut().enable();
            let next = match self.shared.claim(self.queue, max)? {
                Ok(received) => return Ok(received),
                Err(next) => next,
            };
            match next {
                None => woken.await,
                Some(due) => tokio::select! {
                    () = woken => {}
                    () = self.shared.clock.sleep_until(due) => {}
                },
            }
        }
    }
}

struct MemoryLease {
    shared: Arc<Shared>,
    seq: i64,
}

impl MemoryLease {
    /// The dropped lease does the rest of a release.
    fn fail(&self, reason: &str, at_once: bool) {
        let Some((queue, due, mut kept)) = self.shared.end(self.seq) else { return };
        kept.redeliveries += 1;
        kept.failures += 1;
        if at_once || kept.failures >= DELIVERY_LIMIT {
            self.shared.park(queue.as_str(), reason, kept);
        } else {
            self.shared.put_back(self.seq, (queue, due, kept));
        }
    }
}

#[async_trait]
impl Lease for MemoryLease {
    async fn ack(self: Box<Self>) -> PortResult<()> {
        drop(self.shared.end(self.seq));
        Ok(())
    }

    async fn reject(self: Box<Self>, reason: &str) -> PortResult<()> {
        self.fail(reason, false);
        Ok(())
    }

    async fn park(self: Box<Self>, reason: &str) -> PortResult<()> {
        self.fail(reason, true);
        Ok(())
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        Ok(())
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        if let Some((queue, due, mut kept)) = self.shared.end(self.seq) {
            kept.redeliveries += 1;
            self.shared.put_back(self.seq, (queue, due, kept));
        }
    }
}

#[async_trait]
impl Depths for MemoryQueue {
    async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        let now = self.shared.clock.now();
        let state = self.shared.lock();
        let count = |delayed: bool| {
            let of_queue = state.ready.keys().filter(|(of, due, _)| *of == queue && (*due > now) == delayed);
            of_queue.count() as u64
        };
        let leased = state.leased.values().filter(|(of, ..)| *of == queue).count() as u64;
        Ok(Depth { ready: count(false), delayed: count(true), leased })
    }
}

#[async_trait]
impl Parked for MemoryQueue {
    async fn park(&self, queue: &str, reason: &str, body: &[u8]) -> PortResult<()> {
        self.shared.park(queue, reason, Kept { body: body.to_vec(), ..Kept::default() });
        Ok(())
    }

    async fn count(&self) -> PortResult<u64> {
        Ok(self.shared.lock().parked.len() as u64)
    }

    async fn list(&self, after: Option<i64>, max: usize) -> PortResult<Vec<ParkedMessage>> {
        let state = self.shared.lock();
        let later = state.parked.values().filter(|(one, _)| after.is_none_or(|after| one.id > after));
        Ok(later.take(max).map(|(one, _)| one.clone()).collect())
    }

    async fn redrive(&self, id: i64) -> PortResult<bool> {
        {
            let mut state = self.shared.lock();
            let Some((message, _)) = state.parked.get(&id) else { return Ok(false) };
            let Some(queue) = Queue::parse(&message.queue) else {
                return Err(PortError::permanent(format!("{:?} is no queue", message.queue)));
            };
            let Some((message, trace)) = state.parked.remove(&id) else { return Ok(false) };
            let kept = Kept { suspect: true, trace, body: message.body, ..Kept::default() };
            let seq = state.draw();
            state.ready.insert((queue, AT_ONCE, seq), kept);
        }
        self.shared.wake.notify_waiters();
        Ok(true)
    }

    async fn discard(&self, id: i64) -> PortResult<bool> {
        Ok(self.shared.lock().parked.remove(&id).is_some())
    }
}

//! Durable queues between the services. At-least-once: a message is there until its lease is acknowledged.

use async_trait::async_trait;
use postrider_domain::delivery::DeliveryRef;
use postrider_domain::message::{DeliverMessage, EventMessage, Queue, RecordsMessage, TraceContext};
use postrider_domain::timestamp::Timestamp;

use crate::error::PortResult;

/// A message on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing<M> {
    /// What is said. It names its own queue ([`Message::queue`]).
    pub message: M,
    /// May be a copy: published while handling a suspect, re-accepted, or reconciled (DESIGN §2).
    pub suspect: bool,
    /// Do not hand it out before this instant. What is put off comes back through the lane `Late`.
    pub not_before: Option<Timestamp>,
    /// The trace it belongs to.
    pub trace: TraceContext,
}

/// A message that was received and is ours until its lease ends.
pub struct Received<M> {
    /// What is said.
    pub message: M,
    /// Marked by its publisher as a possible copy, or handed out before.
    pub suspect: bool,
    /// How often it was handed out before this time.
    pub redeliveries: u32,
    /// The trace it belongs to.
    pub trace: TraceContext,
    /// Must be ended. Dropped without a word it is released: the message is handed out again, as redelivered.
    pub lease: Box<dyn Lease>,
}

/// The right to process one message.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Everything the message caused is durable; forget it.
    async fn ack(self: Box<Self>) -> PortResult<()>;

    /// It cannot be processed: it counts as a failed delivery and is handed out again, or parked with this reason once
    /// the delivery limit (20, DESIGN §4.2) is reached.
    async fn reject(self: Box<Self>, reason: &str) -> PortResult<()>;

    /// Parks it at once with this reason: no delivery could ever succeed.
    async fn park(self: Box<Self>, reason: &str) -> PortResult<()>;

    /// Hand it out again, and do not count it against the message (a fault of ours, or a shutdown).
    async fn release(self: Box<Self>) -> PortResult<()>;
}

/// A kind of message and the queue it lives in.
pub trait Message: Clone + Send + Sync + 'static {
    /// Where it goes.
    fn queue(&self) -> Queue;
}

/// Puts messages into their queues.
#[async_trait]
pub trait Publish<M: Message>: Send + Sync {
    /// Returns once every message of the batch is durably stored. On error any part of the batch may have been stored:
    /// the caller publishes again, as suspects.
    async fn publish(&self, batch: Vec<Outgoing<M>>) -> PortResult<()>;
}

/// Takes messages out of one queue, each once at a time over all consumers. Oldest first, as far as leases allow.
#[async_trait]
pub trait Consume<M: Message>: Send {
    /// Waits until there is at least one message, then returns up to `max` (at least 1). Cancel-safe: a message that was
    /// claimed for a dropped call is handed out again. A message of a newer wire version is left where it is and
    /// reported as a permanent error that names both versions (DESIGN §5); one that cannot be decoded is parked.
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Received<M>>>;
}

/// Opens consumers; each call makes an independent one.
pub trait Consumers<M: Message>: Send + Sync {
    /// A consumer of one queue.
    fn consumer(&self, queue: Queue) -> Box<dyn Consume<M>>;
}

/// How much is waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be handed out now.
    pub ready: u64,
    /// Put off to a later instant (for the lane `Late`; 0 for others).
    pub delayed: u64,
    /// Handed out and not yet ended.
    pub leased: u64,
}

/// Depths, for back-pressure, metrics and people.
#[async_trait]
pub trait Depths: Send + Sync {
    /// The depth of one queue; cheap enough to be asked every second.
    async fn depth(&self, queue: Queue) -> PortResult<Depth>;
}

/// A message that could not be processed, kept for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// Names it for show, redrive and drop.
    pub id: i64,
    /// Where it was.
    pub queue: String,
    /// Why it was parked.
    pub reason: String,
    /// When.
    pub parked_at: Timestamp,
    /// How often it had been handed out.
    pub deliveries: u32,
    /// The message as stored.
    pub body: Vec<u8>,
    /// The deliveries that wait for it, when it was in a delivery queue and can be read.
    pub holds: Vec<HeldDelivery>,
}

/// A delivery whose message is parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldDelivery {
    /// Which.
    pub delivery: DeliveryRef,
    /// Attempts made before its message was parked.
    pub attempt: u32,
}

/// Messages put aside.
#[async_trait]
pub trait Parked: Send + Sync {
    /// Puts aside bytes that never became a message (a malformed input).
    async fn park(&self, queue: &str, reason: &str, body: &[u8]) -> PortResult<()>;

    /// How many there are; cheap enough to be asked every few seconds.
    async fn count(&self) -> PortResult<u64>;

    /// The oldest first, after the given id.
    async fn list(&self, after: Option<i64>, max: usize) -> PortResult<Vec<ParkedMessage>>;

    /// Puts it back into its queue as a suspect, its count at zero; `false` when there is none of that id.
    async fn redrive(&self, id: i64) -> PortResult<bool>;

    /// Deletes it for ever; `false` when there is none of that id.
    async fn discard(&self, id: i64) -> PortResult<bool>;
}

impl HeldDelivery {
    /// Those of a message.
    pub fn of(message: &DeliverMessage) -> Vec<Self> {
        message.deliveries().map(|(delivery, attempt)| Self { delivery, attempt }).collect()
    }
}

impl<M> Outgoing<M> {
    /// A message to be handed out at once.
    pub fn now(message: M, suspect: bool, trace: TraceContext) -> Self {
        Self { message, suspect, not_before: None, trace }
    }
}

impl Message for EventMessage {
    fn queue(&self) -> Queue {
        Queue::Events
    }
}

impl Message for DeliverMessage {
    fn queue(&self) -> Queue {
        Queue::Deliver(self.lane)
    }
}

impl Message for RecordsMessage {
    fn queue(&self) -> Queue {
        Queue::Records
    }
}

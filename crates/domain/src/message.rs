//! What travels between the services. How it is written down is `wire`'s business.

use std::sync::Arc;

use crate::coalesce::Window;
use crate::delivery::DeliveryRef;
use crate::event::Carried;
use crate::gathering::Coalesced;
use crate::id::WebhookId;
use crate::record::Record;

/// A delivery queue with its own consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// First attempts.
    Fresh,
    /// Everything that waited.
    Late,
    /// Replays, and the far end of huge fan-outs.
    Bulk,
}

/// The queues between the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// Accepted events, for the dispatcher to match.
    Events,
    /// Deliveries, by lane.
    Deliver(Lane),
    /// For the log-writer.
    Records,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::Late, Self::Bulk];
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 5] = [
        Self::Events,
        Self::Deliver(Lane::Fresh),
        Self::Deliver(Lane::Late),
        Self::Deliver(Lane::Bulk),
        Self::Records,
    ];

    /// The name people see; a broker puts its own prefix before it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Deliver(Lane::Fresh) => "deliver.fresh",
            Self::Deliver(Lane::Late) => "deliver.late",
            Self::Deliver(Lane::Bulk) => "deliver.bulk",
            Self::Records => "records",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == text)
    }
}

/// An accepted event on its way to be matched. Idempotency key: (space, event id).
#[derive(Debug, Clone, PartialEq)]
pub struct EventMessage {
    /// The event.
    pub event: Carried,
}

/// One event for up to [`BUNDLE_LIMIT`] webhooks. Idempotency key of each target: (delivery id, attempt).
#[derive(Debug, Clone, PartialEq)]
pub struct DeliverMessage {
    /// The event.
    pub event: Carried,
    /// Which queue it goes to. What is put off always arrives in [`Lane::Late`].
    pub lane: Lane,
    /// The webhooks.
    pub targets: Vec<Target>,
}

/// One message carries at most this many webhooks (DESIGN §4.2).
pub const BUNDLE_LIMIT: usize = 16;

/// One webhook of a bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The webhook.
    pub webhook: WebhookId,
    /// 0 is the automatic delivery.
    pub generation: u32,
    /// The attempt to be made now, from 1.
    pub attempt: u32,
    /// The coalescing window it belongs to.
    pub window: Option<Window>,
    /// What its call stands for, once the window was asked: later attempts say the same as the first.
    pub coalesced: Option<Arc<Coalesced>>,
}

impl DeliverMessage {
    /// The deliveries that wait for this message, each with the number of attempts that were made before it.
    pub fn deliveries(&self) -> impl Iterator<Item = (DeliveryRef, u32)> {
        self.targets.iter().map(|target| {
            let (event, webhook) = (Arc::clone(&self.event.head), target.webhook.clone());
            (DeliveryRef { event, webhook, generation: target.generation }, target.attempt.saturating_sub(1))
        })
    }
}

/// A batch for the log. Idempotency keys: those of its records.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordsMessage {
    /// Up to 50, or 256 KiB of them (DESIGN §4.2).
    pub records: Vec<Record>,
}

/// W3C trace context as it travels with a message (<https://www.w3.org/TR/trace-context/>).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`
    pub parent: Option<String>,
    /// `tracestate`
    pub state: Option<String>,
}

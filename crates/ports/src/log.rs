//! The log: events, deliveries and calls, kept by day.

use async_trait::async_trait;
use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryRef, DeliveryState};
use postrider_domain::event::Event;
use postrider_domain::id::{CallId, EnvironmentId, EventId, SpaceId, WebhookId};
use postrider_domain::record::{Decision, Record};
use postrider_domain::timestamp::{Day, Timestamp};

use crate::error::PortResult;
use crate::progress::Asked;

/// A record that cannot be stored however often it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poisoned {
    /// Its place in the batch.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// The write side.
#[async_trait]
pub trait LogWrite: Send + Sync {
    /// Stores a batch in one transaction, idempotently, in any order of arrival: an event and a call once, a delivery as
    /// far as it has come. The poisoned ones are left out and named; all others are durable.
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>>;
}

/// Taking back that deliveries are parked.
#[async_trait]
pub trait Reopen: Send + Sync {
    /// Those of these that are parked are pending again: their message is back in its queue. All others stay as they are.
    async fn reopen(&self, deliveries: &[Asked], now: Timestamp) -> PortResult<()>;
}

/// Making room for what is to come.
#[async_trait]
pub trait Days: Send + Sync {
    /// Makes the log ready for the records of the day before `today`, whose last are still on the way, to three days after
    /// it. May be called at any time, by several at once; cheap when it was done before. A day that nobody prepared still
    /// takes records, only more slowly.
    async fn prepare(&self, today: Day) -> PortResult<()>;
}

/// What retention removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Rows of every kind together.
    pub rows: u64,
    /// Whether there is more to remove: call again.
    pub more: bool,
}

/// Forgetting.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Removes a bounded part of what belongs to days before `before`. A delivery that is still pending stays, with its
    /// event and body.
    async fn remove_before(&self, before: Day) -> PortResult<Removed>;
}

/// A delivery as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: DeliveryId,
    /// The event, type and action, resource, webhook and generation.
    pub delivery: DeliveryRef,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts whose outcome is known; of one that ended without a call, the highest that was known then.
    pub attempt: u32,
    /// When the next attempt is due.
    pub next_at: Option<Timestamp>,
    /// Why it ended without a call, in words.
    pub reason: Option<String>,
    /// By which delivery it was superseded.
    pub superseded_by: Option<DeliveryId>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An event with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// The event, complete.
    pub event: Event,
    /// Why each webhook did or did not get it.
    pub decisions: Vec<Decision>,
    /// Webhooks that did not match and are not listed.
    pub unlisted: u32,
    /// Its deliveries, all generations.
    pub deliveries: Vec<DeliveryRow>,
}

/// In which order deliveries are listed. Calls always come newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Last changed first; calls: last started first.
    #[default]
    Newest,
    /// First changed first.
    Oldest,
    /// Those that have a next attempt and no others, the one that is due first first.
    Soonest,
    /// The same the other way round.
    Latest,
}

impl Order {
    /// The same list from its other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Newest => Self::Oldest,
            Self::Oldest => Self::Newest,
            Self::Soonest => Self::Latest,
            Self::Latest => Self::Soonest,
        }
    }

    /// Whether it goes by the instant of the next attempt, not by that of the last change.
    pub fn is_by_next_attempt(self) -> bool {
        matches!(self, Self::Soonest | Self::Latest)
    }

    /// Whether later instants come later.
    pub fn is_ascending(self) -> bool {
        matches!(self, Self::Oldest | Self::Soonest)
    }
}

/// Which calls or deliveries to list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only of this webhook.
    pub webhook: Option<WebhookId>,
    /// Only in this environment.
    pub environment: Option<EnvironmentId>,
    /// Only of this event.
    pub event: Option<EventId>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only of events with this action.
    pub action: Option<String>,
    /// Deliveries: only in this state. Calls: only those after which the delivery stood so.
    pub state: Option<DeliveryState>,
    /// Deliveries: only those of which the outcome of an attempt is known, or only the others. Not for calls.
    pub tried: Option<bool>,
    /// From this instant on: calls by their start, deliveries by their last change.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
    /// Deliveries whose next attempt is due from this instant on. Only in an order by that.
    pub next_from: Option<Timestamp>,
    /// Deliveries whose next attempt is due before this instant. Only in an order by that.
    pub next_to: Option<Timestamp>,
    /// In which order. Not for calls.
    pub order: Order,
    /// What the page before ended with.
    pub cursor: Option<Cursor>,
    /// Leave out this many (with a cursor: 0).
    pub skip: usize,
    /// At most this many.
    pub limit: usize,
}

/// Where a page ended: rows strictly after it, in the order of the list, follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The instant of the last row by which the list is in order.
    pub at: Timestamp,
    /// Its id.
    pub id: uuid::Uuid,
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
    /// How many there are in all, exact up to [`EXACT_TOTAL`].
    pub total: usize,
    /// There may be more than `total`: it counts what is among the first [`LOOKED_AT`] rows. A page may then have fewer
    /// rows than asked for, or none, and still a next one.
    pub at_least: bool,
}

/// Totals are counted up to here, then capped and marked (DESIGN §5).
pub const EXACT_TOTAL: usize = 10_000;

/// A list that must leave out rows on its way looks at this many for one page: some milliseconds, however rare what is
/// asked for.
pub const LOOKED_AT: usize = 10_000;

/// How many deliveries stand in each state, over everything the log holds of a space (of all spaces for `None`);
/// generation 0 only, so that it can be compared with events × matched webhooks.
pub type StateCounts = Vec<(DeliveryState, u64)>;

/// The read side.
#[async_trait]
pub trait LogRead: Send + Sync {
    /// An event with everything it caused.
    async fn event(&self, space: &SpaceId, id: &EventId) -> PortResult<Option<EventRow>>;

    /// Calls, newest first (by start).
    async fn calls(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<CallRecord>>;

    /// One call.
    async fn call(&self, space: &SpaceId, id: CallId) -> PortResult<Option<CallRecord>>;

    /// Deliveries, last changed first.
    async fn deliveries(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<DeliveryRow>>;

    /// Opens the next generation of a delivery as pending and returns it; `None` when the event or webhook has none yet.
    /// Two callers at the same instant get two generations.
    async fn open_generation(
        &self,
        space: &SpaceId,
        event: &EventId,
        webhook: &WebhookId,
        now: Timestamp,
    ) -> PortResult<Option<DeliveryRow>>;

    /// The balance of states.
    async fn balance(&self, space: Option<&SpaceId>) -> PortResult<StateCounts>;
}

//! What it takes to notice that a broker lost its disk, and to put back what waited there (DESIGN §5).
//!
//! An epoch stands in the store and in the broker. A broker that comes back without it lost what it had stored, and then,
//! and only then, deliveries that are open in the log are put back by themselves: once, page by page, as suspects. A
//! [`Run`] says how far that has come, so that it goes on when a process dies in the middle.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::{Carriage, EventHead};
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use uuid::Uuid;

use crate::clock::Random;
use crate::error::PortResult;

/// One unbroken life of what a broker has stored: a random number, in UUID form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub Uuid);

/// What a broker knows of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It stands there: the broker has what it stored since.
    Kept,
    /// It was begun there: what the broker lost is being put back.
    Begun,
    /// Another stands there: the broker has its disk, and it is the store that does not know it.
    Other,
    /// None was ever there: an empty disk.
    Blank,
}

/// The epoch in the broker. Whatever is written here is as durable as the messages, and is lost with them.
#[async_trait]
pub trait BrokerEpoch: Send + Sync {
    /// What the broker knows of this epoch.
    async fn standing(&self, epoch: Epoch) -> PortResult<Standing>;

    /// Begins it. One that is kept stays kept.
    async fn begin(&self, epoch: Epoch) -> PortResult<()>;

    /// Keeps it.
    async fn keep(&self, epoch: Epoch) -> PortResult<()>;
}

/// The epoch in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era {
    /// Which.
    pub epoch: Epoch,
    /// When it was last seen in the broker.
    pub seen_at: Timestamp,
}

/// Why open deliveries are put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The broker came back without its epoch.
    DiskLost,
    /// The broker came back with an epoch that the store does not know. Nothing is put back; it is only told.
    UnknownEpoch,
    /// Somebody asked for it.
    ByHand,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why it put back nothing, or no more; `None` when everything was put back.
    pub refused: Option<String>,
}

/// A putting back of open deliveries, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Names it. Of a lost disk: the epoch that begins with it.
    pub id: Epoch,
    /// Why.
    pub cause: Cause,
    /// When it was noticed or asked for; of a disk that was lost once more meanwhile: when that was.
    pub asked_at: Timestamp,
    /// Only what last changed before this instant.
    pub until: Timestamp,
    /// Only what was due before this instant; whatever it is due for `None`.
    pub due_before: Option<Timestamp>,
    /// When a leader took it up.
    pub began_at: Option<Timestamp>,
    /// The last delivery that was looked at.
    pub place: Option<Place>,
    /// Deliveries put back so far.
    pub put_back: u64,
    /// Deliveries that cannot be put back, because the log never heard what their event contained. After a lost disk they
    /// are given up.
    pub without_content: u64,
    /// Milliseconds between the last change that the log knows and the moment when the broker was found to be gone: what was
    /// accepted in them is lost, as far as there was anything. `None` if nothing was lost.
    pub missing_ms: Option<u64>,
    /// How it ended; `None` while it goes on.
    pub ended: Option<Ended>,
}

/// Where a walk over open deliveries has come to: by space, those that are pending before those that are parked, by their
/// last change, by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// In this space.
    pub space: SpaceId,
    /// Among those that are parked.
    pub parked: bool,
    /// Last changed then.
    pub at: Timestamp,
    /// The delivery's id.
    pub id: Uuid,
}

/// Runs that are listed at most.
pub const LISTED: usize = 20;

/// What the store keeps of epochs and runs.
#[async_trait]
pub trait Reconciliations: Send + Sync {
    /// The epoch, if one was ever noted.
    async fn era(&self) -> PortResult<Option<Era>>;

    /// Notes the epoch, if the one that stands there is `before`; whether it was.
    async fn note_era(&self, before: Option<Epoch>, era: &Era) -> PortResult<bool>;

    /// The runs that were asked for last, the latest first, up to [`LISTED`]. At most one of them has not ended.
    async fn runs(&self) -> PortResult<Vec<Run>>;

    /// Enters a run; `false` if it has not ended and neither has another, or if one of its id is there.
    async fn enter(&self, run: &Run) -> PortResult<bool>;

    /// Writes how far a run has come, if it stands as `before` says, place, counts and end; whether it did.
    async fn advance(&self, before: &Run, after: &Run) -> PortResult<bool>;
}

/// Which open deliveries are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Also those whose message was put aside: on a disk that is lost, those were too.
    pub parked: bool,
    /// Only what last changed before this instant.
    pub until: Timestamp,
    /// Only those whose next attempt was due before this instant; one without an instant was due at its last change.
    pub due_before: Option<Timestamp>,
    /// Those behind this one.
    pub after: Option<Place>,
    /// Look at so many at most, at least 1.
    pub limit: usize,
}

/// A delivery that has not come to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenDelivery {
    /// The event's head.
    pub event: Arc<EventHead>,
    /// Its content, as it travels; `None` where the log never heard of it.
    pub content: Option<Carriage>,
    /// The webhook.
    pub webhook: WebhookId,
    /// 0 is the automatic delivery.
    pub generation: u32,
    /// Pending, or parked.
    pub state: DeliveryState,
    /// Attempts whose outcome is known.
    pub attempt: u32,
    /// When the next is due.
    pub next_at: Option<Timestamp>,
}

/// Some of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenPage {
    /// Those that are wanted.
    pub items: Vec<OpenDelivery>,
    /// Where the walk has come to; `None` at the end. A page may be empty and still not the last.
    pub next: Option<Place>,
}

/// Reads the deliveries that have not come to their end.
#[async_trait]
pub trait OpenDeliveries: Send + Sync {
    /// A page of them, along an index: it costs what it looks at, however long the log.
    async fn open(&self, wanted: &Wanted) -> PortResult<OpenPage>;

    /// The last change of a delivery that happened before an instant, over all spaces.
    async fn last_change(&self, before: Timestamp) -> PortResult<Option<Timestamp>>;
}

impl Epoch {
    /// Draws a new one: a UUID of version 4 (RFC 9562 §5.4).
    pub fn draw(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl Place {
    /// Before the first delivery in a state of a space.
    pub fn before(space: SpaceId, parked: bool) -> Self {
        Self { space, parked, at: Timestamp::from_unix_ms(i64::MIN), id: Uuid::nil() }
    }
}

impl Cause {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiskLost => "disk_lost",
            Self::UnknownEpoch => "unknown_epoch",
            Self::ByHand => "by_hand",
        }
    }

    /// Reads the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::DiskLost, Self::UnknownEpoch, Self::ByHand].into_iter().find(|cause| cause.as_str() == text)
    }
}

impl Run {
    /// A run that was just noticed or asked for.
    pub fn new(id: Epoch, cause: Cause, now: Timestamp) -> Self {
        Self {
            id,
            cause,
            asked_at: now,
            until: now,
            due_before: None,
            began_at: None,
            place: None,
            put_back: 0,
            without_content: 0,
            missing_ms: None,
            ended: None,
        }
    }

    /// The same, ended.
    #[must_use]
    pub fn ended(&self, at: Timestamp, refused: Option<String>) -> Self {
        Self { ended: Some(Ended { at, refused }), ..self.clone() }
    }

    /// What it looks for now.
    pub fn wanted(&self, limit: usize) -> Wanted {
        Wanted {
            parked: self.cause == Cause::DiskLost,
            until: self.until,
            due_before: self.due_before,
            after: self.place.clone(),
            limit,
        }
    }
}

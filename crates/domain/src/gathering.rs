//! What comes together in one window: the newest delivery, which is sent, and what its call stands for.
//!
//! A delivery is dropped only for a newer one, and the newest of all is dropped for none. That holds because all deliveries of
//! a window are compared in one way ([`Ranking`]), which is settled when the first of them asks.

use std::collections::HashSet;

use crate::coalesce::{Rank, Ranking, Window};
use crate::delivery::DeliveryId;
use crate::event::EventHead;
use crate::id::EventId;
use crate::timestamp::Timestamp;
use crate::topic::{Action, EventType};

/// A call lists at most this many of the events that it stands for.
pub const LISTED: usize = 100;
/// And at most this many bytes of them, as [`CoalescedEvent::weight`] counts: a hundred of usual length are about 14 KB, and
/// with the event (32 KiB) they stay far below what a message may have.
pub const LISTED_BYTES: usize = 16 * 1024;
/// Up to here a delivery that registers twice is counted once; the ids of more are not kept.
pub const COUNTED: usize = 10_000;

/// The newest known delivery of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// How new it is.
    pub rank: Rank,
    /// Which it is.
    pub delivery: DeliveryId,
    /// How the window is ranked.
    pub ranking: Ranking,
}

/// A few words about an event that was coalesced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoalescedEvent {
    /// Its id.
    pub id: EventId,
    /// What it happened to.
    pub event_type: EventType,
    /// What happened.
    pub action: Action,
    /// The id of the resource.
    pub resource: String,
    /// When it happened.
    pub occurred_at: Timestamp,
}

/// What a call stands for: the events of its window, its own among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coalesced {
    /// How many there are.
    pub count: u64,
    /// The first that came in, up to [`LISTED`] and [`LISTED_BYTES`], by when they happened.
    pub events: Vec<CoalescedEvent>,
}

/// What one window has gathered so far, as one process keeps it.
#[derive(Debug, Clone, Default)]
pub struct Gathering {
    by_version: Option<(Rank, DeliveryId)>,
    by_time: Option<(Rank, DeliveryId)>,
    has_versions: bool,
    lacks_versions: bool,
    ranking: Option<Ranking>,
    seen: HashSet<DeliveryId>,
    count: u64,
    listed: Vec<CoalescedEvent>,
    listed_bytes: usize,
}

impl Newest {
    /// Whether it takes the place of a delivery. One of the other kind, with a version or without, is left alone where
    /// versions decide: it came when that was settled already, and a call too many is better than one too few.
    pub fn supersedes(&self, rank: &Rank, delivery: DeliveryId) -> bool {
        let comparable =
            self.ranking == Ranking::Time || self.rank.version.is_some() == rank.version.is_some();
        self.delivery != delivery && comparable && self.rank.compare(rank, self.ranking).is_gt()
    }
}

impl CoalescedEvent {
    /// What a list says of an event.
    pub fn of(head: &EventHead) -> Self {
        Self {
            id: head.id.clone(),
            event_type: head.event_type.clone(),
            action: head.action.clone(),
            resource: head.resource.id.clone(),
            occurred_at: head.occurred_at,
        }
    }

    /// About how many bytes it takes in a list: its texts, and 64 for names, quotes and the instant.
    pub fn weight(&self) -> usize {
        let texts = [self.id.as_str(), self.event_type.as_str(), self.action.as_str(), &self.resource];
        texts.iter().map(|text| text.len()).sum::<usize>() + 64
    }
}

impl Coalesced {
    /// The events that are listed, in the order they happened, and how many there are of all.
    pub fn new(count: u64, mut events: Vec<CoalescedEvent>) -> Self {
        events.sort_by(|a, b| a.occurred_at.cmp(&b.occurred_at).then_with(|| a.id.cmp(&b.id)));
        Self { count, events }
    }

    /// Whether a receiver is told of it: a call that only stands for its own event is like any other.
    pub fn is_worth_telling(&self) -> bool {
        self.count > 1
    }
}

impl Gathering {
    /// Notes a delivery whose publish was confirmed. `with_lists` says whether there is room to list it and to know it again.
    pub fn enter(&mut self, window: &Window, delivery: DeliveryId, event: &CoalescedEvent, with_lists: bool) {
        self.rank(window, delivery);
        let is_known = self.seen.contains(&delivery);
        if is_known {
            return;
        }
        self.count += 1;
        if with_lists && self.seen.len() < COUNTED {
            self.seen.insert(delivery);
        }
        let weight = event.weight();
        if with_lists && self.listed.len() < LISTED && self.listed_bytes + weight <= LISTED_BYTES {
            self.listed_bytes += weight;
            self.listed.push(event.clone());
        }
    }

    /// The newest. From the first time on that somebody asks, it is found in the same way.
    pub fn newest(&mut self) -> Option<Newest> {
        let is_mixed = self.has_versions && self.lacks_versions;
        let ranking = *self.ranking.get_or_insert(if is_mixed { Ranking::Time } else { Ranking::Version });
        let (rank, delivery) = match ranking {
            Ranking::Version => self.by_version.clone()?,
            Ranking::Time => self.by_time.clone()?,
        };
        Some(Newest { rank, delivery, ranking })
    }

    /// What a call of this window stands for.
    pub fn coalesced(&self) -> Coalesced {
        Coalesced::new(self.count, self.listed.clone())
    }

    /// About how many bytes it takes: its lists, 48 for each delivery that is known, and 1 KiB for the rest.
    pub fn weight(&self) -> usize {
        1024 + self.listed_bytes + 48 * self.seen.len()
    }

    fn rank(&mut self, window: &Window, delivery: DeliveryId) {
        let rank = &window.rank;
        let many = !window.is_of_one_resource();
        self.has_versions |= many || rank.version.is_some();
        self.lacks_versions |= many || rank.version.is_none();
        let kinds = [(Ranking::Version, &mut self.by_version), (Ranking::Time, &mut self.by_time)];
        for (ranking, best) in kinds {
            if best.as_ref().is_none_or(|(known, _)| rank.compare(known, ranking).is_gt()) {
                *best = Some((rank.clone(), delivery));
            }
        }
    }
}

//! What the log-writer gets to keep.

use crate::call::CallRecord;
use crate::delivery::{DeliveryId, DeliveryRef, DeliveryState};
use crate::event::Carried;
use crate::id::WebhookId;
use crate::matching::Verdict;
use crate::timestamp::Timestamp;

/// One entry for the log. Idempotency: an event by (day, space, id), a delivery by (day, id) with the rule of
/// [`crate::delivery::Progress::replaces`], a call by (day, id).
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An event was matched.
    Matched(MatchRecord),
    /// A call was made.
    Call(Box<CallRecord>),
    /// A delivery ended without a call.
    Settled(SettledRecord),
}

/// An event, and why each webhook did or did not get it.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchRecord {
    /// The event.
    pub event: Carried,
    /// Each webhook considered, matched ones first. Unmatched ones beyond [`LISTED_MISSES`] are only counted.
    pub decisions: Vec<Decision>,
    /// Unmatched webhooks that are not listed.
    pub unlisted: u32,
    /// A fan-out to more than [`LISTED_MATCHES`] webhooks is told in parts, counted from 0. The event is kept with what the
    /// first says; the others only name more webhooks that matched, so that their deliveries are known.
    pub part: u32,
    /// When matching happened.
    pub at: Timestamp,
}

/// At most this many webhooks that did not match are listed with an event: enough for a person to read.
pub const LISTED_MISSES: usize = 100;

/// One record names at most this many webhooks that matched. A decision takes some 150 bytes in a message: 256 of them
/// 38 KiB, which with 32 KiB of content and the misses stays well below the 256 KiB of a message (DESIGN §4.2).
pub const LISTED_MATCHES: usize = 256;

/// What was decided about one webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The webhook.
    pub webhook: WebhookId,
    /// Yes or no, and by which rule.
    pub verdict: Verdict,
    /// When its delivery is due, if coalescing puts it off.
    pub due_at: Option<Timestamp>,
}

/// A delivery that ended without a call: superseded, skipped, cancelled or parked.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledRecord {
    /// Which.
    pub delivery: DeliveryRef,
    /// How.
    pub state: DeliveryState,
    /// Attempts made before.
    pub attempt: u32,
    /// Why, in words.
    pub reason: String,
    /// By which other delivery, when superseded.
    pub by: Option<DeliveryId>,
    /// When.
    pub at: Timestamp,
}

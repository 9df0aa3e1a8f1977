//! A delivery: one event for one webhook, until it succeeds or is given up.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::event::EventHead;
use crate::id::{EventId, Scope, WebhookId};

/// A delivery's id: derived, so a repeated fan-out makes the same one again, never a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub Uuid);

impl DeliveryId {
    /// First 16 bytes of SHA-256 over space, environment, event, webhook and generation (DESIGN §5). Each text is
    /// preceded by its length (u16, big-endian), the generation is a u32, big-endian, so no two inputs run together.
    pub fn derive(scope: &Scope, event: &EventId, webhook: &WebhookId, generation: u32) -> Self {
        let mut hash = Sha256::new();
        for text in [scope.space.as_str(), scope.environment.as_str(), event.as_str(), webhook.as_str()] {
            // The longest id has 128 bytes.
            hash.update(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(generation.to_be_bytes());
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Everything that names a delivery and fills its row in the log. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRef {
    /// The event.
    pub event: Arc<EventHead>,
    /// The webhook.
    pub webhook: WebhookId,
    /// 0 is the automatic delivery; each resend or replay is the next.
    pub generation: u32,
}

impl DeliveryRef {
    /// The derived id.
    pub fn id(&self) -> DeliveryId {
        DeliveryId::derive(&self.event.scope, &self.event.id, &self.webhook, self.generation)
    }

    /// The id of generation 0, which receivers see as the constant id of all repeats (`webhook-id`).
    pub fn message_id(&self) -> DeliveryId {
        DeliveryId::derive(&self.event.scope, &self.event.id, &self.webhook, 0)
    }
}

/// Where a delivery stands. Every (accepted event, matched webhook) is in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// Waiting for its first or next attempt.
    Pending,
    /// The receiver took it.
    Delivered,
    /// Attempts are used up, or the failure was final.
    GivenUp,
    /// A newer event of its window, or a later generation, was sent in its stead.
    Superseded,
    /// It cannot be said in the webhook's dialect.
    Skipped,
    /// Its webhook was disabled or deleted, or a person dropped it while it was parked.
    Cancelled,
    /// Its message was put aside: our own processing failed, and a person must look. Put back, it goes on where it was.
    Parked,
}

impl DeliveryState {
    /// Every state, in the order in which reports print them.
    pub const ALL: [Self; 7] = [
        Self::Delivered,
        Self::GivenUp,
        Self::Superseded,
        Self::Skipped,
        Self::Cancelled,
        Self::Parked,
        Self::Pending,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Parked => "parked",
        }
    }

    /// Reads the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// A final state never reopens within a generation. What waits for an attempt or for a person is not final.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Parked)
    }
}

/// How far a delivery has come: what `deliveries` keeps, and what a suspect is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The state after the last known attempt.
    pub state: DeliveryState,
    /// The last attempt whose outcome is known; 0 before the first.
    pub attempt: u32,
}

impl Progress {
    /// Whether `self` replaces `known` in the log: a final state stays, otherwise a final state or a higher attempt
    /// wins. After the same attempt, parked says more than pending: the message for the next one was put aside.
    pub fn replaces(self, known: Self) -> bool {
        if known.state.is_final() || self.state.is_final() {
            return !known.state.is_final();
        }
        let is_put_aside = self.state == DeliveryState::Parked && known.state == DeliveryState::Pending;
        self.attempt > known.attempt || (self.attempt == known.attempt && is_put_aside)
    }

    /// What stands when both are known, `known` first. Whoever ends a delivery without a call need not know how many there
    /// were, so the number of attempts never falls.
    #[must_use]
    pub fn following(self, known: Self) -> Self {
        if self.replaces(known) { Self { attempt: self.attempt.max(known.attempt), ..self } } else { known }
    }

    /// Whether attempt number `attempt` has already been made, so that a copy of it must not act again.
    pub fn covers(self, attempt: u32) -> bool {
        self.state.is_final() || self.attempt >= attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{EnvironmentId, SpaceId};

    fn scope(space: &str) -> Scope {
        Scope { space: SpaceId::new(space).expect("space"), environment: EnvironmentId::master() }
    }

    #[test]
    fn the_same_delivery_derives_the_same_id_and_any_part_changes_it() {
        let (event, webhook) = (EventId::new("e1").expect("id"), WebhookId::new("w1").expect("id"));
        let id = |space, generation| DeliveryId::derive(&scope(space), &event, &webhook, generation);
        assert_eq!(id("s", 0), id("s", 0));
        assert_ne!(id("s", 0), id("s", 1));
        assert_ne!(id("s", 0), id("t", 0));
        // Frozen: ids are kept in logs and at receivers, so this must never change.
        assert_eq!(id("s", 0).to_string(), "0ba0119d-240f-d069-ace2-640fd4a1ebe8");
    }

    #[test]
    fn a_final_state_never_reopens_and_a_higher_attempt_wins() {
        use DeliveryState::{Cancelled, Delivered, Pending};
        let at = |state, attempt| Progress { state, attempt };
        assert!(at(Pending, 2).replaces(at(Pending, 1)));
        assert!(!at(Pending, 1).replaces(at(Pending, 2)));
        assert!(at(Cancelled, 0).replaces(at(Pending, 3)));
        assert!(!at(Pending, 9).replaces(at(Delivered, 1)));
        assert!(!at(Cancelled, 1).replaces(at(Delivered, 1)));
        assert_eq!(at(Cancelled, 0).following(at(Pending, 3)), at(Cancelled, 3));
        assert_eq!(at(Pending, 9).following(at(Delivered, 1)), at(Delivered, 1));
    }

    #[test]
    fn what_is_parked_waits_and_a_later_attempt_or_an_end_takes_it_on() {
        use DeliveryState::{Cancelled, Delivered, Parked, Pending};
        let at = |state, attempt| Progress { state, attempt };
        assert!(at(Parked, 1).replaces(at(Pending, 1)) && !at(Pending, 1).replaces(at(Parked, 1)));
        assert!(!at(Parked, 0).replaces(at(Pending, 1)), "the message of an attempt that was made since");
        assert!(!at(Parked, 1).replaces(at(Parked, 1)));
        assert!(at(Pending, 2).replaces(at(Parked, 1)));
        for end in [Delivered, Cancelled] {
            assert!(at(end, 0).replaces(at(Parked, 3)) && !at(Parked, 9).replaces(at(end, 1)));
        }
        assert!(at(Parked, 1).covers(1) && !at(Parked, 1).covers(2), "put back, its attempt is made");
    }

    #[test]
    fn the_furthest_of_several_is_the_same_in_any_order() {
        let all = DeliveryState::ALL.into_iter().filter(|state| !state.is_final());
        let all: Vec<_> =
            all.flat_map(|state| (0..3).map(move |attempt| Progress { state, attempt })).collect();
        for one in &all {
            for other in &all {
                assert_eq!(one.following(*other), other.following(*one));
                assert_eq!(one.replaces(*other) || other.replaces(*one), one != other);
            }
        }
    }

    #[test]
    fn an_attempt_is_covered_by_itself_a_later_one_or_a_final_state() {
        let pending = Progress { state: DeliveryState::Pending, attempt: 2 };
        assert!(pending.covers(1) && pending.covers(2) && !pending.covers(3));
        assert!(Progress { state: DeliveryState::Delivered, attempt: 1 }.covers(7));
    }
}

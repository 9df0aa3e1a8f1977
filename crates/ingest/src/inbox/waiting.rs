//! Inputs that were read and are not yet accepted: at once, if the rate of their space allows it, else when it does. Each
//! space has a line of its own, so that none waits for another; all together are bounded by who fills them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use postrider_domain::id::SpaceId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::queue::Lease;

use crate::accept::Batch;
use crate::rate::Rates;

/// An input that was read.
pub(super) struct Taken {
    pub(super) space: SpaceId,
    pub(super) batch: Batch,
    pub(super) held: Held,
}

/// What is kept of an input until it ends.
pub(super) struct Held {
    pub(super) routing_key: String,
    pub(super) lease: Box<dyn Lease>,
    /// Of its body.
    pub(super) bytes: usize,
}

/// The lines of all spaces.
#[derive(Default)]
pub(super) struct Waiting {
    spaces: BTreeMap<SpaceId, VecDeque<Taken>>,
    /// When the first line moves on.
    next: Option<Timestamp>,
}

impl Waiting {
    /// Puts inputs at the ends of their lines.
    pub(super) fn push(&mut self, taken: Vec<Taken>) {
        for one in taken {
            self.spaces.entry(one.space.clone()).or_default().push_back(one);
        }
    }

    /// Takes out what may go now, by space.
    pub(super) fn due(&mut self, rates: &Rates, now: Timestamp) -> Vec<(SpaceId, Vec<Taken>)> {
        let mut due = Vec::new();
        self.next = None;
        for (space, line) in &mut self.spaces {
            let mut of_space = Vec::new();
            while let Some(first) = line.front() {
                if let Err(problem) = rates.take(space, first.batch.events.len(), now) {
                    let at = now.plus(problem.retry_after.unwrap_or(Duration::from_secs(1)));
                    self.next = Some(self.next.map_or(at, |next| next.min(at)));
                    break;
                }
                of_space.extend(line.pop_front());
            }
            if !of_space.is_empty() {
                due.push((space.clone(), of_space));
            }
        }
        self.spaces.retain(|_, line| !line.is_empty());
        due
    }

    /// When [`due`](Self::due) has something to give again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> Vec<Taken> {
        self.next = None;
        std::mem::take(&mut self.spaces).into_values().flatten().collect()
    }
}

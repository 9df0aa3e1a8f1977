//! What is to be done with each event of a batch, and which batches can be judged in one go.

use std::collections::HashMap;

use postrider_domain::id::EventId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::claims::Claimed;

use super::Batch;
use crate::problem::{Detail, Kind, Problem};
use crate::reading::Submission;

/// Ids with the SHA-256 of what was sent under them.
pub(super) type Ids = Vec<(EventId, [u8; 32])>;

/// What is to be done with one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing: it was accepted before, or stands in the batch already.
    Repeat,
    /// Publish it.
    Publish {
        /// It may be a copy.
        suspect: bool,
        /// When it was accepted: by a repeat, when it was first tried, so that copies fall on the same day.
        accepted_at: Timestamp,
        /// Whose claim stands on its id.
        claim: Claim,
    },
    /// Its id belongs to another event.
    Conflict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// None: the id was drawn just now, or the memory of ids is away.
    None,
    /// Ours alone.
    Ours,
    /// Somebody else's as well, who may still publish.
    Shared,
}

/// A batch and what is to be done with its events.
pub(super) struct Planned<'b> {
    pub(super) batch: &'b Batch,
    pub(super) plans: Vec<Plan>,
    /// Which events' ids must be claimed first.
    unclaimed: Vec<usize>,
}

impl<'b> Planned<'b> {
    /// What can be said before any id is claimed.
    pub(super) fn new(batch: &'b Batch, now: Timestamp) -> Self {
        let untouched = Plan::Publish { suspect: batch.suspect, accepted_at: now, claim: Claim::None };
        let mut plans = vec![untouched; batch.events.len()];
        let (mut unclaimed, mut seen) = (Vec::new(), HashMap::new());
        for (place, one) in batch.events.iter().enumerate().filter(|(_, one)| one.is_named) {
            match seen.insert(&one.event.head.id, one.sha256) {
                None => unclaimed.push(place),
                Some(before) if before == one.sha256 => plans[place] = Plan::Repeat,
                Some(_) => plans[place] = Plan::Conflict,
            }
        }
        Self { batch, plans, unclaimed }
    }

    /// The ids to be claimed.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (EventId, [u8; 32])> {
        let wanted = self.unclaimed.iter().map(|place| &self.batch.events[*place]);
        wanted.map(|one| (one.event.head.id.clone(), one.sha256))
    }

    /// Takes what became of the wanted ids off the front of the answers.
    pub(super) fn claimed(&mut self, answers: &mut impl Iterator<Item = Claimed>, now: Timestamp) {
        for (place, claimed) in self.unclaimed.iter().zip(answers) {
            let publish = |suspect, accepted_at, claim| Plan::Publish {
                suspect: suspect || self.batch.suspect,
                accepted_at,
                claim,
            };
            self.plans[*place] = match claimed {
                Claimed::Fresh => publish(false, now, Claim::Ours),
                Claimed::FreshButForgetful => publish(true, now, Claim::Ours),
                Claimed::Pending { accepted_at } => publish(true, accepted_at, Claim::Shared),
                Claimed::Committed { .. } => Plan::Repeat,
                Claimed::OtherBody => Plan::Conflict,
            };
        }
    }

    /// Nothing is known of the wanted ids: each may be a copy.
    pub(super) fn unclaimable(&mut self, now: Timestamp) {
        for place in &self.unclaimed {
            self.plans[*place] = Plan::Publish { suspect: true, accepted_at: now, claim: Claim::None };
        }
    }

    /// Each event with its plan.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'b Submission, Plan)> {
        self.batch.events.iter().zip(self.plans.iter().copied())
    }

    /// The ids on which our claims stand, and nobody else's.
    pub(super) fn ours(&self) -> impl Iterator<Item = EventId> {
        let ours = self.each().filter(|(_, plan)| matches!(plan, Plan::Publish { claim: Claim::Ours, .. }));
        ours.map(|(one, _)| one.event.head.id.clone())
    }

    /// The refusal, if an id belongs to another event.
    pub(super) fn check_conflicts(&self) -> Result<(), Problem> {
        if !self.plans.contains(&Plan::Conflict) {
            return Ok(());
        }
        let numbered = self.each().enumerate().filter(|(_, (_, plan))| *plan == Plan::Conflict);
        let details = numbered.map(|(index, (one, _))| Detail {
            index,
            path: "/id".into(),
            problem: format!("{} was given to another event of this space", one.event.head.id),
            fix: "give each event an id of its own, and send repeats byte for byte".into(),
        });
        let details = details.collect::<Vec<_>>();
        let message = match details.as_slice() {
            [one] => format!("the id {}", one.problem),
            many => {
                format!("{} ids were given to other events of this space; nothing was accepted", many.len())
            }
        };
        let fix = "give each event an id of its own; a repeat of the same event must be the same bytes";
        Err(Problem::listed(Kind::IdTaken, message, fix, details))
    }
}

/// Puts batches that share an id into different rounds: whether the later one is a repeat is only known once it is known
/// what became of the earlier one.
pub(super) fn rounds(batches: &[Batch]) -> Vec<Vec<usize>> {
    let (mut rounds, mut last) = (Vec::<Vec<usize>>::new(), HashMap::new());
    for (place, batch) in batches.iter().enumerate() {
        let ids = || batch.events.iter().filter(|one| one.is_named).map(|one| &one.event.head.id);
        let round = ids().filter_map(|id| last.get(id)).max().map_or(0, |last| last + 1);
        last.extend(ids().map(|id| (id, round)));
        if round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[round].push(place);
    }
    rounds
}

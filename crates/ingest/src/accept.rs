//! The one path behind every door: claim the id → store a large body → publish → commit (DESIGN §2).
//!
//! An event counts as accepted once its message is confirmed, and not before. A request that dies on the way leaves its
//! claim pending; who sends the same again meets it and publishes a second time, as a suspect.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::future::try_join_all;
use postrider_domain::event::{Carriage, Carried, INLINE_LIMIT};
use postrider_domain::id::{EventId, Scope, SpaceId};
use postrider_domain::message::{EventMessage, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::bodies::Bodies;
use postrider_ports::claims::{Claimed, Claims};
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Outgoing, Publish};
use tracing::warn;

use crate::Deps;
use crate::problem::{Detail, Kind, Problem};
use crate::reading::Submission;

/// Accepts events, all of a batch or none.
pub struct Acceptor {
    claims: Arc<dyn Claims>,
    bodies: Arc<dyn Bodies>,
    publish: Arc<dyn Publish<EventMessage>>,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id, given or drawn.
    pub id: EventId,
    /// Whether it had been accepted before, so that nothing was published now.
    pub is_duplicate: bool,
}

/// What is to be done with one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
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
enum Claim {
    /// None: the id was drawn just now, or the memory of ids is away.
    None,
    /// Ours alone.
    Ours,
    /// Somebody else's as well, who may still publish.
    Shared,
}

/// Ids with the SHA-256 of what was sent under them.
type Ids = Vec<(EventId, [u8; 32])>;

impl Acceptor {
    /// Accepts with these parts.
    pub fn new(deps: &Deps) -> Self {
        Self {
            claims: Arc::clone(&deps.claims),
            bodies: Arc::clone(&deps.bodies),
            publish: Arc::clone(&deps.publish),
        }
    }

    /// Accepts all events or none; answers in their order. When it returns they are durable.
    ///
    /// Dropped half-way, or after an error while publishing, what became of the events is open: sending the same again
    /// is safe, and the only way to know.
    pub async fn accept(
        &self,
        scope: &Scope,
        events: Vec<Submission>,
        now: Timestamp,
        trace: &TraceContext,
    ) -> Result<Vec<Accepted>, Problem> {
        let space = &scope.space;
        let plans = self.plan(space, &events, now).await;
        if plans.contains(&Plan::Conflict) {
            self.give_back(space, &events, &plans).await;
            return Err(conflict(&events, &plans));
        }
        let answers = events.iter().zip(&plans).map(|(one, plan)| Accepted {
            id: one.event.head.id.clone(),
            is_duplicate: *plan == Plan::Repeat,
        });
        let answers = answers.collect();
        let carried = try_join_all(events.iter().zip(&plans).map(|(one, plan)| self.carry(one, *plan))).await;
        let carried = match carried {
            Ok(carried) => carried,
            Err(fault) => {
                self.give_back(space, &events, &plans).await;
                return Err(Problem::from_port("store the event", &fault));
            }
        };
        let message = |(event, suspect)| Outgoing::now(EventMessage { event }, suspect, trace.clone());
        let messages = carried.into_iter().flatten().map(message).collect::<Vec<_>>();
        if !messages.is_empty() {
            let published = self.publish.publish(messages).await;
            published.map_err(|fault| Problem::from_port("store the event", &fault))?;
        }
        self.commit(space, &events, &plans).await;
        Ok(answers)
    }

    /// Decides about each event, claiming the ids that were given.
    async fn plan(&self, space: &SpaceId, events: &[Submission], now: Timestamp) -> Vec<Plan> {
        let publish = |suspect, claim| Plan::Publish { suspect, accepted_at: now, claim };
        let mut plans = vec![publish(false, Claim::None); events.len()];
        let (mut wanted, mut places, mut seen) = (Ids::new(), Vec::new(), HashMap::new());
        for (place, one) in events.iter().enumerate().filter(|(_, one)| one.is_named) {
            let id = &one.event.head.id;
            match seen.insert(id, one.sha256) {
                None => {
                    wanted.push((id.clone(), one.sha256));
                    places.push(place);
                }
                Some(before) if before == one.sha256 => plans[place] = Plan::Repeat,
                Some(_) => plans[place] = Plan::Conflict,
            }
        }
        if wanted.is_empty() {
            return plans;
        }
        match self.claims.claim(space, &wanted, now).await {
            Ok(claimed) => {
                for (place, claimed) in places.into_iter().zip(claimed) {
                    plans[place] = match claimed {
                        Claimed::Fresh => publish(false, Claim::Ours),
                        Claimed::FreshButForgetful => publish(true, Claim::Ours),
                        Claimed::Pending { accepted_at } => {
                            Plan::Publish { suspect: true, accepted_at, claim: Claim::Shared }
                        }
                        Claimed::Committed { .. } => Plan::Repeat,
                        Claimed::OtherBody => Plan::Conflict,
                    };
                }
            }
            // Without the memory of ids every event may be a copy, and is delivered all the same.
            Err(fault) => {
                warn!(%fault, "ids cannot be claimed; events are accepted as suspects");
                for place in places {
                    plans[place] = publish(true, Claim::None);
                }
            }
        }
        plans
    }

    /// Makes an event ready to travel: a large content is stored first. `None` when nothing is to be published.
    async fn carry(&self, one: &Submission, plan: Plan) -> PortResult<Option<(Carried, bool)>> {
        let Plan::Publish { suspect, accepted_at, .. } = plan else { return Ok(None) };
        let mut head = one.event.head.clone();
        // What happened "now" happened when it was first tried.
        if head.occurred_at == head.accepted_at {
            head.occurred_at = accepted_at;
        }
        head.accepted_at = accepted_at;
        let content = if one.event.content.size() > INLINE_LIMIT {
            Carriage::Stored(self.bodies.put(accepted_at.day(), &one.event.content).await?)
        } else {
            Carriage::Inline(Arc::new(one.event.content.clone()))
        };
        Ok(Some((Carried { head: Arc::new(head), content }, suspect)))
    }

    /// Gives up the claims that are ours alone: nothing was published under them.
    async fn give_back(&self, space: &SpaceId, events: &[Submission], plans: &[Plan]) {
        let ours = events
            .iter()
            .zip(plans)
            .filter(|(_, plan)| matches!(plan, Plan::Publish { claim: Claim::Ours, .. }));
        let ours = ours.map(|(one, _)| one.event.head.id.clone()).collect::<Vec<_>>();
        if ours.is_empty() {
            return;
        }
        if let Err(fault) = self.claims.release(space, &ours).await {
            warn!(%fault, "claims could not be given back; they end by themselves");
        }
    }

    /// Notes that the ids are accepted. They are, whether that can be noted or not: an id that stays pending only makes
    /// the next copy a suspect.
    async fn commit(&self, space: &SpaceId, events: &[Submission], plans: &[Plan]) {
        let mut by_acceptance = BTreeMap::<Timestamp, Ids>::new();
        for (one, plan) in events.iter().zip(plans) {
            if let Plan::Publish { accepted_at, claim: Claim::Ours | Claim::Shared, .. } = plan {
                let ids = by_acceptance.entry(*accepted_at).or_default();
                ids.push((one.event.head.id.clone(), one.sha256));
            }
        }
        for (accepted_at, ids) in by_acceptance {
            if let Err(fault) = self.claims.commit(space, &ids, accepted_at).await {
                warn!(%fault, "accepted ids could not be noted; repeats will be suspects");
            }
        }
    }
}

fn conflict(events: &[Submission], plans: &[Plan]) -> Problem {
    let numbered = events.iter().zip(plans).enumerate().filter(|(_, (_, plan))| **plan == Plan::Conflict);
    let details = numbered.map(|(index, (one, _))| Detail {
        index,
        path: "/id".into(),
        problem: format!("{} was given to another event of this space", one.event.head.id),
        fix: "give each event an id of its own, and send repeats byte for byte".into(),
    });
    let details = details.collect::<Vec<_>>();
    let message = match details.as_slice() {
        [one] => format!("the id {}", one.problem),
        many => format!("{} ids were given to other events of this space; nothing was accepted", many.len()),
    };
    let fix = "give each event an id of its own; a repeat of the same event must be the same bytes";
    Problem::listed(Kind::IdTaken, message, fix, details)
}

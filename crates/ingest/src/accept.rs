//! The one path behind every door: claim the id → store a large body → publish → commit (DESIGN §2).
//!
//! An event counts as accepted once its message is confirmed, and not before. A request that dies on the way leaves its
//! claim pending; who sends the same again meets it and publishes a second time, as a suspect.
//!
//! What came in together is a batch, accepted as a whole or not at all. Many batches of a space go the way together, in
//! one round trip each for claims and queue, and what becomes of one is no matter to the others.

mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use postrider_domain::event::{Carriage, Carried, INLINE_LIMIT};
use postrider_domain::id::{EventId, SpaceId};
use postrider_domain::message::{EventMessage, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::bodies::Bodies;
use postrider_ports::claims::Claims;
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{Outgoing, Publish};
use postrider_runtime::trace::Span;
use tracing::warn;

use crate::Deps;
use crate::problem::{Kind, Problem};
use crate::reading::Submission;
use crate::telemetry::{self, Metrics};
use plan::{Claim, Ids, Plan, Planned, rounds};

/// Accepts events.
pub struct Acceptor {
    claims: Arc<dyn Claims>,
    bodies: Arc<dyn Bodies>,
    publish: Arc<dyn Publish<EventMessage>>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// Events that came in together: all are accepted, or none.
#[derive(Debug, Clone)]
pub struct Batch {
    /// At least one.
    pub events: Vec<Submission>,
    /// The trace they belong to.
    pub trace: TraceContext,
    /// They may have been accepted before, whatever the memory of ids says.
    pub suspect: bool,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id, given or drawn.
    pub id: EventId,
    /// Whether it had been accepted before, so that nothing was published now.
    pub is_duplicate: bool,
}

/// What became of a batch: its events in their order.
pub type Answer = Result<Vec<Accepted>, Problem>;

/// Messages of a batch, ready to be published.
type Ready = Vec<Outgoing<EventMessage>>;

impl Acceptor {
    /// Accepts with these parts.
    pub fn new(deps: &Deps) -> Self {
        Self {
            claims: Arc::clone(&deps.claims),
            bodies: Arc::clone(&deps.bodies),
            publish: Arc::clone(&deps.publish),
            clock: Arc::clone(&deps.clock),
            metrics: Metrics::new(),
        }
    }

    /// Accepts a batch of one space. When it returns its events are durable.
    ///
    /// Dropped half-way, or after an error while publishing, what became of the events is open: sending the same again
    /// is safe, and the only way to know.
    pub async fn accept(&self, space: &SpaceId, batch: Batch, now: Timestamp) -> Answer {
        let mut answers = self.accept_each(space, &[batch], now).await;
        // One batch, one answer.
        answers.swap_remove(0)
    }

    /// Accepts batches of one space, each by itself; answers in their order. A batch that repeats an id of an earlier one
    /// is judged after it.
    pub async fn accept_each(&self, space: &SpaceId, batches: &[Batch], now: Timestamp) -> Vec<Answer> {
        let mut answers = vec![Ok(Vec::new()); batches.len()];
        let mut away = None;
        for round in rounds(batches) {
            let answered = match &away {
                // What is away now is not asked again for every repeat.
                Some(problem) => vec![Err(Problem::clone(problem)); round.len()],
                None => self.accept_round(space, round.iter().map(|place| &batches[*place]), now).await,
            };
            for (place, answer) in round.into_iter().zip(answered) {
                away = away.or_else(|| answer.clone().err().filter(|one| one.kind == Kind::Unavailable));
                answers[place] = answer;
            }
        }
        let took = self.clock.now().since(now);
        for (batch, answer) in batches.iter().zip(&answers) {
            self.metrics.answered(batch.events.len(), answer, took);
        }
        answers
    }

    /// Accepts batches that have no id in common.
    async fn accept_round<'b>(
        &self,
        space: &SpaceId,
        batches: impl Iterator<Item = &'b Batch>,
        now: Timestamp,
    ) -> Vec<Answer> {
        let mut planned = batches.map(|batch| Planned::new(batch, now)).collect::<Vec<_>>();
        self.claim(space, &mut planned, now).await;
        let mut ready = join_all(planned.iter().map(|one| self.make_ready(one))).await;
        let refused = planned.iter().zip(&ready).filter(|(_, ready)| ready.is_err());
        self.give_back(space, refused.flat_map(|(one, _)| one.ours()).collect()).await;
        let spans = ready.iter_mut().map(begin_spans).collect::<Vec<_>>();
        let published = self.publish(ready).await;
        end_spans(spans, &published);
        let accepted = planned.iter().zip(&published).filter(|(_, done)| done.is_ok());
        self.commit(space, accepted.map(|(one, _)| one)).await;
        let answer = |(one, done): (&Planned<'_>, Result<(), Problem>)| {
            done?;
            let answers = one.each().map(|(one, plan)| Accepted {
                id: one.event.head.id.clone(),
                is_duplicate: plan == Plan::Repeat,
            });
            Ok(answers.collect())
        };
        planned.iter().zip(published).map(answer).collect()
    }

    /// Claims the ids that were given, all in one round trip.
    async fn claim(&self, space: &SpaceId, planned: &mut [Planned<'_>], now: Timestamp) {
        let wanted = planned.iter().flat_map(Planned::wanted).collect::<Ids>();
        if wanted.is_empty() {
            return;
        }
        match self.claims.claim(space, &wanted, now).await {
            Ok(claimed) => {
                let mut claimed = claimed.into_iter();
                for one in planned {
                    one.claimed(&mut claimed, now);
                }
            }
            // Without the memory of ids every event may be a copy, and is delivered all the same.
            Err(fault) => {
                warn!(%fault, "ids cannot be claimed; events are accepted as suspects");
                for one in planned {
                    one.unclaimable(now);
                }
            }
        }
    }

    /// Makes a batch ready to travel, if it can be accepted.
    async fn make_ready(&self, planned: &Planned<'_>) -> Result<Ready, Problem> {
        planned.check_conflicts()?;
        let carried = try_join_all(planned.each().map(|(one, plan)| self.carry(one, plan))).await;
        let carried = carried.map_err(|fault| Problem::from_port("store the event", &fault))?;
        let message =
            |(event, suspect)| Outgoing::now(EventMessage { event }, suspect, planned.batch.trace.clone());
        Ok(carried.into_iter().flatten().map(message).collect())
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

    /// Publishes all batches that are ready at once. A fault that would come again with the same messages may be the fault
    /// of one batch, so each is then tried alone, as what it now is: a suspect.
    async fn publish(&self, ready: Vec<Result<Ready, Problem>>) -> Vec<Result<(), Problem>> {
        let refusal = |fault: &PortError| Problem::from_port("store the event", fault);
        let all = ready.iter().flatten().flatten().cloned().collect::<Ready>();
        let several = ready.iter().flatten().filter(|batch| !batch.is_empty()).count() > 1;
        let fault = match self.send(all).await {
            Ok(()) => return ready.into_iter().map(|batch| batch.map(drop)).collect(),
            Err(fault) => fault,
        };
        let common = (fault.is_transient() || !several).then(|| refusal(&fault));
        let alone = |batch: Result<Ready, Problem>| {
            let common = common.clone();
            async move {
                let mut batch = batch?;
                if batch.is_empty() {
                    return Ok(());
                }
                if let Some(problem) = common {
                    return Err(problem);
                }
                for one in &mut batch {
                    one.suspect = true;
                }
                self.send(batch).await.map_err(|fault| refusal(&fault))
            }
        };
        join_all(ready.into_iter().map(alone)).await
    }

    async fn send(&self, messages: Ready) -> PortResult<()> {
        if messages.is_empty() { Ok(()) } else { self.publish.publish(messages).await }
    }

    /// Gives up claims that are ours alone: nothing was published under them.
    async fn give_back(&self, space: &SpaceId, ours: Vec<EventId>) {
        if ours.is_empty() {
            return;
        }
        if let Err(fault) = self.claims.release(space, &ours).await {
            warn!(%fault, "claims could not be given back; they end by themselves");
        }
    }

    /// Notes that the ids are accepted. They are, whether that can be noted or not: an id that stays pending only makes
    /// the next copy a suspect.
    async fn commit<'p>(&self, space: &SpaceId, accepted: impl Iterator<Item = &'p Planned<'p>>) {
        let mut by_acceptance = BTreeMap::<Timestamp, Ids>::new();
        for (one, plan) in accepted.flat_map(Planned::each) {
            if let Plan::Publish { accepted_at, claim: Claim::Ours | Claim::Shared, .. } = plan {
                let ids = by_acceptance.entry(accepted_at).or_default();
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

/// One span for each message of a batch, if it is ready.
fn begin_spans(ready: &mut Result<Ready, Problem>) -> Vec<Span> {
    ready.iter_mut().flatten().map(telemetry::sending).collect()
}

/// Ends the spans of each batch by what became of it.
fn end_spans(spans: Vec<Vec<Span>>, published: &[Result<(), Problem>]) {
    for (spans, done) in spans.into_iter().zip(published) {
        for span in spans {
            if let Err(problem) = done {
                span.fail(problem.kind.code(), "it could not be published");
            }
            span.end();
        }
    }
}

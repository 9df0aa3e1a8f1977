//! One delivery from the room to its settlement: the latest settings, a permit, a token, the breaker's pass, the call.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::message::TraceContext;
use postrider_domain::outcome::{Ended, FailureKind, Outcome};
use postrider_domain::record::{Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::{Disabled, DisabledBy, RateLimit, Status};
use postrider_ports::error::{PortError, PortResult};
use tracing::{error, info};

use crate::breaker::Pass;
use crate::bundle::{Fate, Ticket};
use crate::call::{self, Made, Turn};
use crate::floor::{Entered, Permit};
use crate::index::Known;
use crate::settle::{Again, Settlement};
use crate::shares;
use crate::telemetry::{Deferral, Limiter, Stage};
use crate::tokens::per_second;
use crate::wellness;
use crate::worker::Worker;

/// Waits shorter than this happen in the process; the queues' delays begin here (DESIGN §4.2).
const SHORT: Duration = Duration::from_secs(1);
/// So many resends before the one that succeeded are settled with it; more have hardly a retry to come.
const OLDER_RESENDS: u32 = 8;
/// So many short waits in a row at most: their records are held back meanwhile.
const SHORT_WAITS: usize = 4;

/// Why a webhook is disabled whose receiver asked for it.
const GONE: &str = "the receiver answered 410 Gone";

/// What one attempt came to.
enum Step {
    /// It ended without a call.
    Ended(SettledRecord),
    /// No call now; the same attempt at this instant.
    PutOff(Timestamp),
    /// A call was made, in this trace.
    Called(Box<CallRecord>, TraceContext),
}

/// What stands between a delivery and its call.
enum Gate {
    /// Nothing.
    Open { permit: Permit, known: Arc<Known>, pass: Pass },
    /// A step without a call.
    Shut(Step),
    /// Ask again: a short wait is over.
    Again,
}

/// Brings one delivery as far as it comes now. `Err` says how its message must end, with nothing to be recorded.
pub(crate) async fn deliver(worker: &Worker, ticket: &Ticket) -> Result<Settlement, Fate> {
    let mut attempt = ticket.target.attempt;
    let mut held: Vec<Record> = Vec::new();
    let mut trace: Option<TraceContext> = None;
    loop {
        let before = trace.as_ref().unwrap_or(&ticket.bundle.trace);
        let step = match make_attempt(worker, ticket, attempt, before).await {
            Ok(step) => step,
            Err(fate) if held.is_empty() => return Err(fate),
            // Calls were made: their evidence goes out with the message that follows them.
            Err(_) => Step::PutOff(worker.now().plus(SHORT)),
        };
        match step {
            Step::Ended(record) => {
                held.push(Record::Settled(record));
                return Ok(Settlement { again: None, records: held, trace });
            }
            Step::PutOff(at) => {
                return Ok(Settlement { again: Some(Again { attempt, at }), records: held, trace });
            }
            Step::Called(record, of_call) => {
                trace = Some(of_call);
                let next_at = record.next_at;
                let older = older_generations(worker, ticket, record.state);
                held.push(Record::Call(record));
                held.extend(older.into_iter().map(Record::Settled));
                let Some(at) = next_at else {
                    return Ok(Settlement { again: None, records: held, trace });
                };
                attempt += 1;
                // A record of this attempt alone would say that a message for the next one exists.
                let short = at.since(worker.now()) < SHORT && held.len() <= SHORT_WAITS;
                if !short || worker.wait_until(at).await.is_err() {
                    return Ok(Settlement { again: Some(Again { attempt, at }), records: held, trace });
                }
            }
        }
    }
}

/// `before` is the trace of the attempt before, or of the event.
async fn make_attempt(
    worker: &Worker,
    ticket: &Ticket,
    attempt: u32,
    before: &TraceContext,
) -> Result<Step, Fate> {
    let begun = worker.now();
    loop {
        let (permit, known, pass) = match gate(worker, ticket).await? {
            Gate::Open { permit, known, pass } => (permit, known, pass),
            Gate::Shut(step) => return Ok(step),
            Gate::Again => continue,
        };
        // In a box of its own: four times as many deliveries wait in the room as calls are made.
        return Box::pin(async {
            let event = match ticket.bundle.complete(&worker.contents, worker.deps.bodies.as_ref()).await {
                Ok(event) => event,
                Err(error) if error.is_transient() => return Err(release(worker, &error)),
                // With its message, so that it can be put back once the content is there again.
                Err(error) => return Err(Fate::Park(error.to_string())),
            };
            worker.metrics.stage(Stage::Wait).record(worker.now().since(begun));
            let turn = Turn { ticket, attempt, known: &known, before };
            Ok(match call::call(worker, &turn, &event).await {
                Ok(made) => {
                    conclude(worker, ticket, &known, (permit, pass), &made).await;
                    Step::Called(Box::new(made.record), made.trace)
                }
                Err(reason) => ended(worker, ticket, DeliveryState::Skipped, reason),
            })
        })
        .await;
    }
}

/// Passes everything that can stand before a call. The webhook is looked at twice, because waiting takes time.
async fn gate(worker: &Worker, ticket: &Ticket) -> Result<Gate, Fate> {
    let known = match active(worker, ticket).await? {
        Ok(known) => known,
        Err(step) => return Ok(Gate::Shut(step)),
    };
    if let Some(until) = worker.breakers.open_until(&known.callee.key, worker.now()) {
        return Ok(Gate::Shut(put_off(worker, &known, Some(until), Deferral::Breaker)));
    }
    let permit = match worker.floor.enter(&known.callee) {
        Entered::Granted(permit) => permit,
        Entered::Full => return Ok(Gate::Shut(put_off(worker, &known, None, Deferral::Room))),
        Entered::Waiting(granted) => {
            worker.metrics.waits(Limiter::Permit);
            tokio::select! {
                biased;
                () = worker.stop.cancelled() => return Err(Fate::Release),
                permit = granted => permit.map_err(|_| Fate::Release)?,
            }
        }
    };
    if worker.stop.is_cancelled() {
        return Err(Fate::Release);
    }
    let known = match active(worker, ticket).await? {
        Ok(known) => known,
        Err(step) => return Ok(Gate::Shut(step)),
    };
    if let Err(at) = worker.ramps.take(&known.callee.key, worker.now()) {
        worker.metrics.deferred(Deferral::Rate);
        return Ok(Gate::Shut(Step::PutOff(at)));
    }
    if let Some(limit) = known.webhook.rate_limit
        && let Err(at) = worker.tokens.take(&known.callee.key, limit, worker.now()).await
    {
        // Others may call while this one waits.
        drop(permit);
        return wait_for_token(worker, &known, limit, at).await;
    }
    let key = &known.callee.key;
    if worker.ward.is_first_since_enabled(&known) {
        worker.breakers.doubt(key, worker.now()).await;
    }
    // A probe that never reports must not hold the breaker for ever: its deadline, and a little for the way.
    let pass = worker.breakers.pass(key, worker.now(), call::timeout(&known) + SHORT).await;
    if let Pass::Open(until) = pass {
        return Ok(Gate::Shut(put_off(worker, &known, Some(until), Deferral::Breaker)));
    }
    Ok(Gate::Open { permit, known, pass })
}

async fn wait_for_token(
    worker: &Worker,
    known: &Known,
    limit: RateLimit,
    at: Timestamp,
) -> Result<Gate, Fate> {
    let short = at.since(worker.now()) < SHORT;
    let Some(_sleeper) = worker.tokens.wait(&known.callee.key, limit).filter(|_| short) else {
        return Ok(Gate::Shut(put_off(worker, known, Some(at), Deferral::Rate)));
    };
    worker.metrics.waits(Limiter::Token);
    worker.wait_until(at).await.map_err(|_| Fate::Release)?;
    Ok(Gate::Again)
}

/// The webhook as it stands now, or the end of the delivery when it is disabled or gone. Before that is believed the index
/// is verified: it may be older than the message.
async fn active(worker: &Worker, ticket: &Ticket) -> Result<Result<Arc<Known>, Step>, Fate> {
    let space = &ticket.bundle.event.head.scope.space;
    let look = async || -> PortResult<Option<Arc<Known>>> {
        worker.spaces.webhook(space, &ticket.target.webhook).await
    };
    let mut known = look().await.map_err(|error| release(worker, &error))?;
    if !is_active(known.as_ref()) && !worker.spaces.verified_after(ticket.received_at) {
        worker.spaces.refresh().await.map_err(|error| release(worker, &error))?;
        known = look().await.map_err(|error| release(worker, &error))?;
    }
    let reason = match known {
        None => "the webhook was deleted".to_owned(),
        Some(known) => match &known.webhook.status {
            Status::Active => return Ok(Ok(known)),
            Status::Disabled(why) => format!("the webhook is disabled since {}: {}", why.at, why.reason),
        },
    };
    Ok(Err(ended(worker, ticket, DeliveryState::Cancelled, reason)))
}

fn is_active(known: Option<&Arc<Known>>) -> bool {
    known.is_some_and(|known| known.webhook.is_active())
}

/// What a call means for those beside it: shares, breaker, and the webhook itself when it is gone.
async fn conclude(
    worker: &Worker,
    ticket: &Ticket,
    known: &Known,
    (permit, pass): (Permit, Pass),
    made: &Made,
) {
    permit.finish(match (made.outcome, &made.ended) {
        (Outcome::Success, _) => shares::Ended::Success,
        (_, Ended::Failed(FailureKind::Timeout)) => shares::Ended::TimedOut,
        _ => shares::Ended::Failure,
    });
    let key = &known.callee.key;
    let broke = match &made.ended {
        Ended::Answered { status, .. } if *status < 500 => {
            worker.breakers.success(key).await;
            worker.ramps.answered(key, worker.now());
            false
        }
        // Our own fault says nothing about the receiver.
        Ended::Failed(FailureKind::AddressBlocked | FailureKind::Request) => false,
        _ => worker.breakers.failure(key, pass, worker.now()).await,
    };
    if broke {
        worker.floor.restart(key);
        worker.ramps.broke(key, worker.now());
    }
    if made.outcome == Outcome::Gone {
        let noted = wellness::gone(worker, ticket, known, made, GONE).await;
        disable(worker, known).await;
        if let Some(condition) = noted {
            worker.ward.tell(&known.webhook, &condition, made.trace.clone(), worker.now()).await;
        }
    }
    wellness::learn(worker, ticket, known, made, broke).await;
}

async fn disable(worker: &Worker, known: &Known) {
    let webhook = &known.webhook;
    let why = Disabled { at: worker.now(), by: DisabledBy::Gone, reason: GONE.to_owned() };
    let disabling = worker
        .pause
        .insist(async |_| worker.deps.disable.disable(&webhook.space, &webhook.id, &why).await.map(drop));
    match disabling.await {
        Ok(()) => {
            info!(space = %webhook.space, webhook = %webhook.id, "webhook disabled: 410 Gone");
            worker.refresh().await;
        }
        Err(error) => {
            error!(%error, space = %webhook.space, webhook = %webhook.id, "a webhook that is gone stays enabled");
        }
    }
}

/// The success of a later generation settles those before it, which may still be waiting for a retry (DESIGN §4.4): the
/// automatic delivery, and the newest of the resends that failed.
fn older_generations(worker: &Worker, ticket: &Ticket, state: DeliveryState) -> Vec<SettledRecord> {
    let generation = ticket.target.generation;
    if generation == 0 || state != DeliveryState::Delivered {
        return Vec::new();
    }
    let newest = generation.saturating_sub(OLDER_RESENDS).max(1)..generation;
    let settle = |older| SettledRecord {
        delivery: DeliveryRef { generation: older, ..ticket.delivery() },
        state: DeliveryState::Superseded,
        attempt: 0,
        reason: format!("generation {generation} was delivered"),
        by: Some(ticket.id),
        at: worker.now(),
    };
    std::iter::once(0).chain(newest).map(settle).collect()
}

fn ended(worker: &Worker, ticket: &Ticket, state: DeliveryState, reason: String) -> Step {
    Step::Ended(ticket.ended(state, reason, None, worker.now()))
}

fn put_off(worker: &Worker, known: &Known, earliest: Option<Timestamp>, why: Deferral) -> Step {
    worker.metrics.deferred(why);
    let limit = known.webhook.rate_limit.map(per_second);
    Step::PutOff(worker.floor.put_off(&known.callee.key, limit, earliest))
}

/// Something we need is away: the message is given back, and nothing is taken for a moment.
fn release(worker: &Worker, error: &PortError) -> Fate {
    if error.is_transient() {
        worker.pause.trouble(&error.to_string());
        Fate::Release
    } else {
        Fate::Reject(error.to_string())
    }
}

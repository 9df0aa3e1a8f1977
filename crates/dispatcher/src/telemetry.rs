//! What the dispatcher tells about its work: its metrics, made once, and its spans (DESIGN §4.7).
//!
//! Labels are few and fixed: spaces and webhooks are attributes of spans, never labels.

use std::sync::{Arc, Weak};

use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::EventHead;
use postrider_domain::message::{Queue, TraceContext};
use postrider_domain::outcome::{Ended, FailureKind, Outcome};
use postrider_domain::record::Record;
use postrider_domain::webhook::Method;
use postrider_runtime::metrics::{self, Counter, Histogram};
use postrider_runtime::trace::{Carried, Kind, Origin, Remote, Span};

use crate::bundle::Ticket;
use crate::index::Known;
use crate::worker::Worker;

/// Why a delivery is put off without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deferral {
    /// Its webhook's breaker is open.
    Breaker,
    /// There is no room for it.
    Room,
    /// Its webhook's rate limit.
    Rate,
    /// A copy waits for its original.
    Copy,
}

/// What an event or a delivery spends its time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Events are matched and their deliveries published, a batch at a time.
    Match,
    /// A delivery waits for its turn.
    Wait,
    /// The receiver is called.
    Call,
    /// The deferral and the records are confirmed.
    Settle,
}

/// What a delivery waited for in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limiter {
    /// A permit of its shares.
    Permit,
    /// A token of its rate limit.
    Token,
}

/// The dispatcher's metrics.
pub(crate) struct Metrics {
    ages: [Histogram; Queue::ALL.len()],
    stages: [Histogram; 4],
    calls: Vec<Counter>,
    settled: [Counter; DeliveryState::ALL.len()],
    deferrals: [Counter; 4],
    waits: [Counter; 2],
}

const OUTCOMES: [&str; 4] = ["success", "retry", "final", "gone"];
/// By the first digit of the status.
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];
const CAUSES: usize = CLASSES.len() + FailureKind::ALL.len();

impl Metrics {
    pub(crate) fn new() -> Self {
        let calls =
            metrics::counter("postrider.calls", "Calls made, by outcome and by what ended them", "{call}");
        let settled =
            metrics::counter("postrider.deliveries", "Deliveries that came to their end", "{delivery}");
        let deferrals =
            metrics::counter("postrider.deferrals", "Deliveries put off without a call", "{delivery}");
        let waits = metrics::counter(
            "postrider.limiter.waits",
            "Deliveries that waited in the process for a permit or a token",
            "{delivery}",
        );
        let causes = || CLASSES.into_iter().chain(FailureKind::ALL.map(FailureKind::as_str));
        let both = OUTCOMES.into_iter().flat_map(|outcome| causes().map(move |cause| (outcome, cause)));
        Self {
            ages: Queue::ALL.map(|queue| metrics::age(queue.as_str())),
            stages: ["match", "wait", "call", "settle"].map(metrics::stage),
            calls: both
                .map(|(outcome, cause)| calls.with(&[("outcome", outcome), ("cause", cause)]))
                .collect(),
            settled: DeliveryState::ALL.map(|state| settled.with(&[("state", state.as_str())])),
            deferrals: ["breaker", "room", "rate", "copy"].map(|why| deferrals.with(&[("reason", why)])),
            waits: ["permit", "token"].map(|limiter| waits.with(&[("limiter", limiter)])),
        }
    }

    /// How old events are when messages about them arrive.
    pub(crate) fn age(&self, queue: Queue) -> &Histogram {
        let at = Queue::ALL.iter().position(|one| *one == queue).unwrap_or(0);
        &self.ages[at]
    }

    pub(crate) fn stage(&self, stage: Stage) -> &Histogram {
        &self.stages[stage as usize]
    }

    pub(crate) fn deferred(&self, why: Deferral) {
        self.deferrals[why as usize].add(1);
    }

    pub(crate) fn waits(&self, limiter: Limiter) {
        self.waits[limiter as usize].add(1);
    }

    /// A call was made.
    pub(crate) fn called(&self, outcome: Outcome, ended: &Ended) {
        let outcome = match outcome {
            Outcome::Success => 0,
            Outcome::Retry { .. } => 1,
            Outcome::Final => 2,
            Outcome::Gone => 3,
        };
        let cause = match ended {
            Ended::Answered { status, .. } => match usize::from(status / 100) {
                class @ 1..=5 => class,
                _ => 0,
            },
            Ended::Failed(kind) => {
                CLASSES.len() + FailureKind::ALL.iter().position(|one| one == kind).unwrap_or(0)
            }
        };
        self.calls[outcome * CAUSES + cause].add(1);
    }

    /// The log was told.
    pub(crate) fn recorded(&self, records: &[Record]) {
        for record in records {
            let state = match record {
                Record::Matched(_) => continue,
                Record::Call(call) => call.state,
                Record::Settled(settled) => settled.state,
            };
            if state.is_final() {
                let at = DeliveryState::ALL.iter().position(|one| *one == state).unwrap_or(0);
                self.settled[at].add(1);
            }
        }
    }
}

/// Shows how a worker stands whenever metrics are read, for as long as it lives.
pub(crate) fn watch(worker: &Arc<Worker>) {
    let about =
        ("postrider.breakers", "Webhooks whose breaker is not closed, as this worker sees it", "{webhook}");
    gauge(worker, about, |worker| {
        let (open, half_open) = worker.breakers.states(worker.now());
        vec![([("state", "open")], open), ([("state", "half_open")], half_open)]
    });
    let about = ("postrider.floor", "Deliveries that are being called, or wait for a permit", "{delivery}");
    gauge(worker, about, |worker| {
        let (calling, waiting) = worker.floor.figures();
        vec![([("state", "calling")], calling), ([("state", "waiting")], waiting)]
    });
    let of = Arc::downgrade(worker);
    let lookups = move |is_hit: bool| {
        let of = Weak::clone(&of);
        move || of.upgrade().map_or(0, |worker| worker.spaces.lookups(is_hit))
    };
    metrics::observe_counter(
        "postrider.index.hits",
        "Looks into the index of webhooks that found their space",
        "{look}",
        lookups(true),
    );
    metrics::observe_counter(
        "postrider.index.loads",
        "Looks that had to read the webhooks of a space first",
        "{look}",
        lookups(false),
    );
}

type Figures = Vec<([metrics::Label; 1], u64)>;

/// A gauge by its name, description and unit.
fn gauge(
    worker: &Arc<Worker>,
    (name, description, unit): (&'static str, &'static str, &'static str),
    read: impl Fn(&Worker) -> Figures + Send + Sync + 'static,
) {
    let worker = Arc::downgrade(worker);
    let read = move || worker.upgrade().map(|worker| read(&worker)).unwrap_or_default();
    metrics::observe_gauge(name, description, unit, read);
}

/// The span of matching one event.
pub(crate) fn matching(head: &EventHead, trace: &TraceContext) -> Span {
    Span::process(Queue::Events.as_str(), Origin::Child(remote(trace))).describe(|span| {
        span.set("messaging.message.id", head.id.to_string());
        span.set("postrider.space", head.scope.space.to_string());
        span.set("postrider.environment", head.scope.environment.to_string());
    })
}

/// The span of one call, as <https://opentelemetry.io/docs/specs/semconv/http/http-spans/> has it, without the URL: it may
/// hold secrets. The first attempt belongs to the event's trace; each further one begins a trace of its own, linked to the
/// attempt before, since a trace over hours of retries helps nobody.
pub(crate) fn calling(ticket: &Ticket, attempt: u32, known: &Known, before: &TraceContext) -> Span {
    let method = known.webhook.action.http().map_or(Method::Post, |target| target.method).as_str();
    let origin = if attempt > 1 { Origin::NewTrace(remote(before)) } else { Origin::Child(remote(before)) };
    Span::begin(Kind::Client, method, origin).describe(|span| {
        span.set("http.request.method", method);
        span.set("server.address", known.callee.host.to_string());
        if attempt > 1 {
            span.set("http.request.resend_count", i64::from(attempt) - 1);
        }
        span.set("postrider.attempt", i64::from(attempt));
        span.set("postrider.delivery", ticket.id.to_string());
        span.set("postrider.event", ticket.bundle.event.head.id.to_string());
        span.set("postrider.space", known.webhook.space.to_string());
        span.set("postrider.webhook", known.webhook.id.to_string());
    })
}

/// How a call ended, in its span.
pub(crate) fn ended(span: &Span, ended: &Ended) {
    match ended {
        Ended::Answered { status, .. } => {
            span.note(|span| span.set("http.response.status_code", i64::from(*status)));
            if *status >= 400 {
                // What the receiver says of it is its own affair; the code says enough.
                span.fail(status.to_string(), "");
            }
        }
        Ended::Failed(kind) => span.fail(kind.as_str(), kind.as_str()),
    }
}

/// A context as it came with a message.
pub(crate) fn remote(trace: &TraceContext) -> Remote<'_> {
    Remote { parent: trace.parent.as_deref(), state: trace.state.as_deref() }
}

/// The context that a span hands on.
pub(crate) fn context_of(span: &Span) -> TraceContext {
    let Carried { parent, state } = span.context();
    TraceContext { parent, state }
}

//! What ingest tells about its work: the span of each event that is handed on, counts, and how full the queues are
//! (DESIGN §4.7).

use postrider_domain::message::{EventMessage, Queue, TraceContext};
use postrider_ports::queue::{Depth, Outgoing};
use postrider_runtime::metrics::{self, Counter, Gauge, Histogram};
use postrider_runtime::trace::{Carried, Origin, Remote, Span};

use crate::accept::Answer;

/// What is counted where events are accepted.
pub(crate) struct Metrics {
    accepted: Counter,
    repeated: Counter,
    refused: Counter,
    took: Histogram,
}

/// How full each queue is.
pub(crate) struct Depths {
    gauges: [[Gauge; 3]; Queue::ALL.len()],
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let events =
            metrics::counter("postrider.events", "Events that came in, and what became of them", "{event}");
        let outcome = |outcome| events.with(&[("outcome", outcome)]);
        Self {
            accepted: outcome("accepted"),
            repeated: outcome("repeated"),
            refused: outcome("refused"),
            took: metrics::stage("accept"),
        }
    }

    /// A batch of so many events was answered, so long after it was read.
    pub(crate) fn answered(&self, events: usize, answer: &Answer, took: std::time::Duration) {
        let count = |some: usize| u64::try_from(some).unwrap_or(u64::MAX);
        match answer {
            Ok(accepted) => {
                let repeated = accepted.iter().filter(|one| one.is_duplicate).count();
                self.repeated.add(count(repeated));
                self.accepted.add(count(accepted.len() - repeated));
            }
            Err(_) => self.refused.add(count(events)),
        }
        self.took.record(took);
    }
}

impl Depths {
    pub(crate) fn new() -> Self {
        let depth = metrics::gauge(
            "postrider.queue.depth",
            "Messages in a queue, all processes together: ready, put off to later, or being worked on",
            "{message}",
        );
        let of = |queue: Queue| {
            ["ready", "delayed", "leased"]
                .map(|state| depth.with(&[("queue", queue.as_str()), ("state", state)]))
        };
        Self { gauges: Queue::ALL.map(of) }
    }

    /// A queue was measured.
    pub(crate) fn set(&self, queue: Queue, depth: Depth) {
        let at = Queue::ALL.iter().position(|one| *one == queue).unwrap_or(0);
        for (gauge, figure) in self.gauges[at].iter().zip([depth.ready, depth.delayed, depth.leased]) {
            gauge.set(figure);
        }
    }
}

/// Begins the span of handing an event on; the message carries its context from now on.
pub(crate) fn sending(message: &mut Outgoing<EventMessage>) -> Span {
    let TraceContext { parent, state } = &message.trace;
    let publisher = Remote { parent: parent.as_deref(), state: state.as_deref() };
    let head = &message.message.event.head;
    let span = Span::send(Queue::Events.as_str(), Origin::Child(publisher)).describe(|span| {
        span.set("messaging.message.id", head.id.to_string());
        span.set("postrider.space", head.scope.space.to_string());
        span.set("postrider.environment", head.scope.environment.to_string());
        span.set("postrider.topic", format!("{}.{}", head.event_type, head.action));
    });
    let Carried { parent, state } = span.context();
    message.trace = TraceContext { parent, state };
    span
}

//! What the log-writer tells about its work: a span for each message it keeps, and how far the log lags (DESIGN §4.7).

use postrider_domain::message::{Queue, RecordsMessage};
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::queue::Received;
use postrider_runtime::metrics::{self, Counter, Histogram};
use postrider_runtime::trace::{Origin, Remote, Span};

/// The log-writer's metrics.
pub(crate) struct Metrics {
    written: Counter,
    parked: Counter,
    lag: Histogram,
    took: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let records =
            metrics::counter("postrider.log.records", "Records, and what became of them", "{record}");
        Self {
            written: records.with(&[("outcome", "written")]),
            parked: records.with(&[("outcome", "parked")]),
            lag: metrics::seconds(
                "postrider.log.lag",
                "Time from what a record tells to its commit, of the oldest record of each batch",
            ),
            took: metrics::stage("log"),
        }
    }

    /// These were committed.
    pub(crate) fn written(&self, records: &[Record], begun: Timestamp, now: Timestamp) {
        self.took.record(now.since(begun));
        if let Some(oldest) = records.iter().map(instant).min() {
            self.lag.record(now.since(oldest));
        }
    }

    /// So many are in the log, and so many cannot be.
    pub(crate) fn kept(&self, written: usize, parked: usize) {
        let count = |some: usize| u64::try_from(some).unwrap_or(u64::MAX);
        self.written.add(count(written));
        self.parked.add(count(parked));
    }
}

/// The span of keeping one message; it belongs to the trace of whoever sent it, and ends when it is dropped.
pub(crate) fn writing(received: &Received<RecordsMessage>) -> Span {
    let trace = &received.trace;
    let sender = Remote { parent: trace.parent.as_deref(), state: trace.state.as_deref() };
    Span::process(Queue::Records.as_str(), Origin::Child(sender)).describe(|span| {
        let records = received.message.records.len();
        span.set("postrider.records", i64::try_from(records).unwrap_or(i64::MAX));
    })
}

/// Does what many messages share as a part of the first of them.
pub(crate) async fn within<T>(span: Option<&Span>, work: impl Future<Output = T>) -> T {
    match span {
        Some(span) => span.run(work).await,
        None => work.await,
    }
}

/// When what it tells happened.
fn instant(record: &Record) -> Timestamp {
    match record {
        Record::Matched(matched) => matched.at,
        Record::Call(call) => call.started_at.plus(call.timings.total),
        Record::Settled(settled) => settled.at,
    }
}

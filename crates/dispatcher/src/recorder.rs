//! Records on their way to the log: gathered from many deliveries into messages, confirmed, then marked.
//!
//! Whoever puts the first record into an empty batch waits for its end and sends it; whoever fills it sends it at once.
//! Everyone waits until the message that holds their records is confirmed. So no task of its own is needed, and nothing
//! is lost with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postrider_domain::delivery::{DeliveryId, Progress};
use postrider_domain::event::Carriage;
use postrider_domain::message::{Queue, RecordsMessage, TraceContext};
use postrider_domain::record::{MatchRecord, Record};
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortErrorKind, PortResult};
use postrider_ports::progress::Marks;
use postrider_ports::queue::{Outgoing, Publish};
use postrider_runtime::trace::{self, Origin, Span};
use tokio::sync::oneshot;
use tracing::warn;

use crate::pause::Pause;
use crate::settings::RecordSettings;
use crate::telemetry::{context_of, remote};

/// Records of one submission: they share a message, because together they are the evidence of one step.
pub(crate) struct Submission {
    /// Never empty.
    pub(crate) records: Vec<Record>,
    /// Whether they came of a suspect.
    pub(crate) suspect: bool,
    /// The trace they belong to; a message carries that of its first.
    pub(crate) trace: TraceContext,
}

/// The way to the log, shared by everyone.
pub(crate) struct Recorder {
    limits: RecordSettings,
    publish: Arc<dyn Publish<RecordsMessage>>,
    marks: Arc<dyn Marks>,
    clock: Arc<dyn Clock>,
    pause: Arc<Pause>,
    batch: Mutex<Batch>,
}

#[derive(Default)]
struct Batch {
    /// Which batch this is; the one who opened it looks whether it is still there.
    number: u64,
    records: Vec<Record>,
    bytes: usize,
    suspect: bool,
    trace: TraceContext,
    /// The traces of the other submissions, if anybody wants to know.
    others: Vec<TraceContext>,
    waiting: Vec<oneshot::Sender<Confirmed>>,
}

/// What everyone who waits for a message is told.
type Confirmed = Result<(), (PortErrorKind, Arc<str>)>;

/// What remains to be done by whoever submitted.
#[derive(Default)]
struct Part {
    /// Send these now: they are full.
    full: Vec<Batch>,
    /// Wait for the end of this batch, then send it if nobody else has.
    lead: Option<u64>,
}

impl Recorder {
    pub(crate) fn new(
        limits: RecordSettings,
        publish: Arc<dyn Publish<RecordsMessage>>,
        marks: Arc<dyn Marks>,
        clock: Arc<dyn Clock>,
        pause: Arc<Pause>,
    ) -> Self {
        Self { limits, publish, marks, clock, pause, batch: Mutex::default() }
    }

    /// Returns once the records are confirmed by the queue, with patience if it is away. Their marks are then set as well
    /// as can be.
    pub(crate) async fn submit(&self, submission: Submission) -> PortResult<()> {
        let (confirm, confirmed) = oneshot::channel();
        let part = self.put(submission, confirm);
        let full = async {
            for batch in part.full {
                self.send(batch).await;
            }
        };
        let led = async {
            let Some(number) = part.lead else { return };
            self.until_over().await;
            let batch = self.take(number);
            if let Some(batch) = batch {
                self.send(batch).await;
            }
        };
        futures::join!(full, led);
        match confirmed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err((kind, message))) => Err(error_of_kind(kind, &message)),
            Err(_) => Err(PortError::transient("publishing records: whoever sent them was stopped")),
        }
    }

    async fn until_over(&self) {
        if self.limits.within.is_zero() {
            // Others that are ready now still get in.
            tokio::task::yield_now().await;
        } else {
            self.clock.sleep_until(self.clock.now().plus(self.limits.within)).await;
        }
    }

    fn put(&self, submission: Submission, confirm: oneshot::Sender<Confirmed>) -> Part {
        let bytes: usize = submission.records.iter().map(weight).sum();
        let mut part = Part::default();
        let mut batch = self.lock();
        let too_many = batch.records.len() + submission.records.len() > self.limits.count;
        if !batch.records.is_empty() && (too_many || batch.bytes + bytes > self.limits.bytes) {
            part.full.push(batch.close());
        }
        let opened = batch.records.is_empty();
        if opened {
            batch.trace = submission.trace;
        } else if trace::is_recording() && batch.trace != submission.trace {
            batch.others.push(submission.trace);
        }
        batch.records.extend(submission.records);
        batch.bytes += bytes;
        batch.suspect |= submission.suspect;
        batch.waiting.push(confirm);
        if batch.records.len() >= self.limits.count || batch.bytes >= self.limits.bytes {
            part.full.push(batch.close());
        } else if opened {
            part.lead = Some(batch.number);
        }
        part
    }

    fn take(&self, number: u64) -> Option<Batch> {
        let mut batch = self.lock();
        (batch.number == number && !batch.records.is_empty()).then(|| batch.close())
    }

    async fn send(&self, batch: Batch) {
        let span = sending(&batch);
        let Batch { records, suspect, waiting, .. } = batch;
        let marks: Vec<(DeliveryId, Progress)> = records.iter().filter_map(mark_of).collect();
        let message = Outgoing::now(RecordsMessage { records }, suspect, context_of(&span));
        let publishing = self.pause.insist(|again| {
            let mut message = message.clone();
            message.suspect |= again;
            self.publish.publish(vec![message])
        });
        let confirmed = match span.run(publishing).await {
            Ok(()) => {
                self.mark(&marks).await;
                Ok(())
            }
            Err(error) => {
                span.fail("publishing", error.to_string());
                Err((error.kind, Arc::from(error.to_string())))
            }
        };
        span.end();
        for one in waiting {
            // Whoever stopped waiting needs no answer.
            drop(one.send(confirmed.clone()));
        }
    }

    /// A missing mark costs a look into the log, no more.
    async fn mark(&self, marks: &[(DeliveryId, Progress)]) {
        if marks.is_empty() {
            return;
        }
        if let Err(error) = self.marks.mark(marks).await {
            warn!(%error, marks = marks.len(), "marks were not set; suspects will ask the log");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// Hands out what is there and begins anew.
    fn close(&mut self) -> Self {
        let next = Self { number: self.number + 1, ..Self::default() };
        std::mem::replace(self, next)
    }
}

/// The span of sending a batch: it belongs to the trace of its first submission, and links those of the others.
fn sending(batch: &Batch) -> Span {
    let span = Span::send(Queue::Records.as_str(), Origin::Child(remote(&batch.trace)));
    for other in &batch.others {
        span.link(remote(other));
    }
    span.describe(|span| {
        span.set("postrider.records", i64::try_from(batch.records.len()).unwrap_or(i64::MAX));
    })
}

fn error_of_kind(kind: PortErrorKind, message: &str) -> PortError {
    match kind {
        PortErrorKind::Transient => PortError::transient(message),
        PortErrorKind::Permanent => PortError::permanent(message),
        PortErrorKind::Conflict => PortError::conflict(message),
    }
}

/// How far a delivery has come by this record.
fn mark_of(record: &Record) -> Option<(DeliveryId, Progress)> {
    match record {
        Record::Matched(_) => None,
        Record::Call(call) => {
            Some((call.delivery.id(), Progress { state: call.state, attempt: call.attempt }))
        }
        Record::Settled(settled) => {
            Some((settled.delivery.id(), Progress { state: settled.state, attempt: settled.attempt }))
        }
    }
}

/// About how many bytes a record takes in a message: its texts, and 512 bytes for an event's head and the structure.
fn weight(record: &Record) -> usize {
    const STRUCTURE: usize = 512;
    let headers = |list: &[(String, String)]| {
        list.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>()
    };
    STRUCTURE
        + match record {
            Record::Matched(matched) => match_weight(matched),
            Record::Call(call) => {
                let answer = call.response.as_ref();
                call.request.url.len()
                    + headers(&call.request.headers)
                    + call.request.body.len()
                    + answer.map_or(0, |answer| headers(&answer.headers) + answer.body.len())
                    + call.failure.as_ref().map_or(0, |failure| failure.message.len())
            }
            Record::Settled(settled) => settled.reason.len(),
        }
}

fn match_weight(matched: &MatchRecord) -> usize {
    let content = match &matched.event.content {
        Carriage::Inline(content) => content.size(),
        Carriage::Stored(_) => 0,
    };
    let decision = |text: &str| text.len() + 64;
    content + matched.decisions.iter().map(|one| decision(&one.verdict.detail)).sum::<usize>()
}

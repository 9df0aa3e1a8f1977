//! One batch: receive, write, acknowledge.

use std::pin::pin;
use std::sync::Arc;

use futures::future::join_all;
use postrider_domain::message::RecordsMessage;
use postrider_domain::record::{Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{LogWrite, Poisoned};
use postrider_ports::queue::{Consume, Lease, Received};

use crate::batch::Batch;
use crate::telemetry::{self, Metrics};

/// Messages taken out of the queue in one go. Ten full ones have 500 records, so that a flood of full ones makes batches
/// that are enough and not six times as large.
const AT_ONCE: usize = 10;

/// Takes batches from one consumer.
pub struct Writer {
    consumer: Box<dyn Consume<RecordsMessage>>,
    log: Arc<dyn LogWrite>,
    max_messages: usize,
    clock: Option<Arc<dyn Clock>>,
    metrics: Metrics,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stepped {
    /// Records that are durable now.
    pub written: usize,
    /// Messages put aside because of a record that cannot be stored.
    pub parked: usize,
}

impl Writer {
    /// A writer that takes up to `max_messages` at once.
    pub fn new(
        consumer: Box<dyn Consume<RecordsMessage>>,
        log: Arc<dyn LogWrite>,
        max_messages: usize,
    ) -> Self {
        Self { consumer, log, max_messages: max_messages.max(1), clock: None, metrics: Metrics::new() }
    }

    /// Measures by this clock how long writing takes, and how far the log lags behind.
    #[must_use]
    pub fn timed_by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Waits for messages and keeps them.
    pub async fn step(&mut self) -> PortResult<Stepped> {
        let received = self.receive().await?;
        self.keep(received).await
    }

    /// Waits for messages. May be dropped while it waits; what it had claimed comes again.
    pub async fn receive(&mut self) -> PortResult<Vec<Received<RecordsMessage>>> {
        self.consumer.receive(self.max_messages.min(AT_ONCE)).await
    }

    /// Adds to these messages what comes until `over`, or until there are `enough` rows or as many messages as may be. A
    /// fault ends it: what is here is kept, and the next [`Self::receive`] meets the fault again.
    pub async fn gather(
        &mut self,
        received: &mut Vec<Received<RecordsMessage>>,
        enough: usize,
        over: impl Future<Output = ()>,
    ) {
        let mut over = pin!(over);
        let mut rows: usize = received.iter().map(rows_of).sum();
        while rows < enough && received.len() < self.max_messages {
            let more = tokio::select! {
                biased;
                () = &mut over => return,
                more = self.consumer.receive((self.max_messages - received.len()).min(AT_ONCE)) => more,
            };
            let Ok(more) = more else { return };
            rows += more.iter().map(rows_of).sum::<usize>();
            received.extend(more);
        }
    }

    /// Writes the records of these messages in one transaction, then acknowledges them. On error every message goes back
    /// and comes again: the records are idempotent.
    pub async fn keep(&mut self, received: Vec<Received<RecordsMessage>>) -> PortResult<Stepped> {
        let mut batch = Batch::default();
        let mut leases = Vec::with_capacity(received.len());
        let mut spans = Vec::with_capacity(received.len());
        for message in received {
            spans.push(telemetry::writing(&message));
            batch.push(message.message.records);
            leases.push(message.lease);
        }
        let begun = self.clock.as_ref().map(|clock| clock.now());
        match telemetry::within(spans.first(), self.log.write(batch.records())).await {
            Ok(poisoned) => {
                let outcomes = outcomes(batch.records(), &poisoned);
                if !outcomes.is_empty()
                    && let Err(error) = self.log.write(&outcomes).await
                {
                    give_back(leases, &error).await;
                    return Err(error);
                }
                self.measure(batch.records(), begun);
                let reasons = batch.reasons(&poisoned);
                let parked = reasons.iter().flatten().count();
                let written = batch.records().len() - poisoned.len();
                self.metrics.kept(written, poisoned.len());
                settle(leases, reasons).await?;
                Ok(Stepped { written, parked })
            }
            Err(error) => {
                for span in &spans {
                    span.fail("store", error.to_string());
                }
                give_back(leases, &error).await;
                Err(error)
            }
        }
    }

    fn measure(&self, records: &[Record], begun: Option<Timestamp>) {
        if let (Some(clock), Some(begun)) = (&self.clock, begun) {
            self.metrics.written(records, begun, clock.now());
        }
    }
}

/// How the deliveries of records that cannot be stored ended: that much is kept, so that none is pending for ever because
/// of a call that cannot be shown. Whatever of this is poison, too, waits with its message.
fn outcomes(records: &[Record], poisoned: &[Poisoned]) -> Vec<Record> {
    let outcome = |record: &Record| match record {
        Record::Call(call) if call.state.is_final() => Some(SettledRecord {
            delivery: call.delivery.clone(),
            state: call.state,
            attempt: call.attempt,
            reason: "the record of its last call could not be stored and is parked".to_owned(),
            by: None,
            at: call.started_at.plus(call.timings.total),
        }),
        Record::Settled(settled) => Some(SettledRecord {
            reason: "why could not be stored and is parked".to_owned(),
            ..settled.clone()
        }),
        // Another record follows that says more.
        Record::Call(_) | Record::Matched(_) => None,
    };
    poisoned.iter().filter_map(|one| outcome(records.get(one.index)?)).map(Record::Settled).collect()
}

/// About how many rows a message becomes: a match makes one for each webhook that it names, up to 256 (and may come with ten
/// others of its event), everything else makes one.
fn rows_of(received: &Received<RecordsMessage>) -> usize {
    let rows = |record: &Record| match record {
        Record::Matched(matched) => 1 + matched.decisions.len(),
        Record::Call(_) | Record::Settled(_) => 1,
    };
    received.message.records.iter().map(rows).sum()
}

/// Acknowledges what is stored and parks what cannot be; all at once, so that the queue can group them.
async fn settle(leases: Vec<Box<dyn Lease>>, reasons: Vec<Option<String>>) -> PortResult<()> {
    let settling = leases.into_iter().zip(reasons).map(|(lease, reason)| async move {
        match reason {
            None => lease.ack().await,
            // Its healthy records are stored; a redrive stores them again without harm.
            Some(reason) => lease.park(&reason).await,
        }
    });
    join_all(settling).await.into_iter().collect()
}

/// A fault of the store does not count against the messages; one that repeats for the same input does.
async fn give_back(leases: Vec<Box<dyn Lease>>, error: &PortError) {
    let reason = error.to_string();
    let returning = leases.into_iter().map(|lease| async {
        // A lease that cannot be returned now ends with its connection or process: the message comes again either way.
        let _unheard = if error.is_transient() { lease.release().await } else { lease.reject(&reason).await };
    });
    join_all(returning).await;
}

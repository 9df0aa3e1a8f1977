//! The only place that turns what became of a delivery into messages, records and the end of a lease.
//!
//! The order is the promise: first the message for the next attempt, then the record of this one with its mark, then the
//! acknowledgement, each confirmed before the next. So evidence that says "attempt n was made, and it was not the last"
//! implies that the message for n + 1 exists, and a copy of n may be dropped.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use postrider_domain::delivery::{DeliveryId, DeliveryState};
use postrider_domain::message::{DeliverMessage, Lane, Target, TraceContext};
use postrider_domain::record::{Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortError;
use postrider_ports::queue::Outgoing;
use tracing::{error, warn};

use crate::bundle::{Fate, Ticket};
use crate::deliver::deliver;
use crate::recorder::Submission;
use crate::telemetry::Stage;
use crate::worker::Worker;

/// What became of a delivery, for now.
pub(crate) struct Settlement {
    /// The attempt that follows, or the same one put off.
    pub(crate) again: Option<Again>,
    /// What the log is told; nothing when there was nothing to do.
    pub(crate) records: Vec<Record>,
    /// The trace of the last call; `None` when none was made.
    pub(crate) trace: Option<TraceContext>,
}

/// A message for later.
pub(crate) struct Again {
    /// Which attempt.
    pub(crate) attempt: u32,
    /// When.
    pub(crate) at: Timestamp,
}

/// What is known about a delivery before it enters the room.
pub(crate) enum Plan {
    /// Nothing stands against it.
    Deliver,
    /// It is decided already.
    Settle(Settlement),
    /// It cannot be decided now.
    Leave(Fate),
}

/// Carries out one delivery to the end of its part of the lease. Never panics: a panic inside is the message's fate.
pub(crate) async fn carry_out(worker: &Worker, ticket: Ticket, plan: Plan) {
    let work = AssertUnwindSafe(fate_of(worker, &ticket, plan)).catch_unwind();
    let fate = work.await.unwrap_or_else(|panic| {
        let reason = panic_text(panic.as_ref());
        error!(delivery = %ticket.id, reason, "delivering panicked");
        Fate::Reject(format!("delivering panicked: {reason}"))
    });
    if fate == Fate::Settled {
        worker.pause.success();
    }
    let Ticket { bundle, id, holds, .. } = ticket;
    // Whoever comes with a copy from now on finds the evidence.
    drop(holds);
    if let Err(error) = bundle.end(fate).await {
        // It will be handed out again, as redelivered, and find its evidence.
        // When a broker goes away thousands of leases do at once.
        if worker.pause.begins_trouble(&error.to_string()) {
            warn!(%error, delivery = %id, "a lease could not be ended, and perhaps others of this moment");
        }
    }
}

async fn fate_of(worker: &Worker, ticket: &Ticket, plan: Plan) -> Fate {
    let settlement = match plan {
        Plan::Settle(settlement) => settlement,
        Plan::Leave(fate) => return fate,
        Plan::Deliver => match deliver(worker, ticket).await {
            Ok(settlement) => settlement,
            Err(fate) => return fate,
        },
    };
    // In a box, as the call is: it is not needed while a delivery waits in the room.
    match Box::pin(settle(worker, ticket, settlement)).await {
        Ok(()) => Fate::Settled,
        // What was not confirmed is not evidence: the message comes back as a suspect and tries again.
        Err(error) if error.is_transient() => Fate::Release,
        Err(error) => {
            error!(%error, delivery = %ticket.id, "a delivery cannot be settled");
            Fate::Park(error.to_string())
        }
    }
}

async fn settle(worker: &Worker, ticket: &Ticket, settlement: Settlement) -> Result<(), PortError> {
    let bundle = &ticket.bundle;
    let begun = worker.now();
    let trace = settlement.trace.as_ref().unwrap_or(&bundle.trace);
    if let Some(again) = settlement.again {
        // The same attempt may be made once more by a copy of this message, for example when another webhook's part of
        // the bundle is given back. A later attempt always asks.
        let suspect = bundle.suspect || again.attempt == ticket.target.attempt;
        let publishing = worker.pause.insist(|repeated| {
            let target = Target { attempt: again.attempt, ..ticket.target.clone() };
            let message =
                DeliverMessage { event: bundle.event.clone(), lane: Lane::Late, targets: vec![target] };
            worker.deps.deliver.publish(vec![Outgoing {
                message,
                suspect: suspect || repeated,
                not_before: Some(again.at),
                trace: trace.clone(),
            }])
        });
        publishing.await?;
    }
    if settlement.records.is_empty() {
        return Ok(());
    }
    let records = settlement.records;
    worker.metrics.recorded(&records);
    let submission = Submission { records, suspect: bundle.suspect, trace: trace.clone() };
    worker.recorder.submit(submission).await?;
    worker.metrics.stage(Stage::Settle).record(worker.now().since(begun));
    Ok(())
}

impl Settlement {
    /// Nothing to do: it was done before.
    pub(crate) fn nothing() -> Self {
        Self { again: None, records: Vec::new(), trace: None }
    }
}

impl Ticket {
    /// The record of an end without a call.
    pub(crate) fn ended(
        &self,
        state: DeliveryState,
        reason: String,
        by: Option<DeliveryId>,
        at: Timestamp,
    ) -> SettledRecord {
        let attempt = self.target.attempt.saturating_sub(1);
        SettledRecord { delivery: self.delivery(), state, attempt, reason, by, at }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

//! What is known about received deliveries before they enter the room, asked for a whole batch at once: how far suspects
//! have come, and whether a window has a newer state.

use std::sync::Arc;

use postrider_domain::coalesce::Window;
use postrider_domain::delivery::{DeliveryId, DeliveryState};
use postrider_domain::message::DeliverMessage;
use postrider_domain::record::Record;
use postrider_ports::progress::Asked;
use postrider_ports::queue::{Message, Received};
use postrider_ports::windows::Coalesced;
use tracing::{debug, warn};

use crate::backlog;
use crate::bundle::{Bundle, Fate, Holds, Ticket};
use crate::lanes::Slots;
use crate::settle::{Again, Plan, Settlement};
use crate::suspects::settled;
use crate::telemetry::Deferral;
use crate::worker::Worker;

/// Takes a batch apart and plans each delivery of it.
pub(crate) async fn admit(
    worker: &Worker,
    batch: Vec<Received<DeliverMessage>>,
    mut slots: Slots,
) -> Vec<(Ticket, Plan)> {
    let mut planned: Vec<(Ticket, Plan)> = Vec::new();
    for received in batch {
        planned.extend(open(worker, received, &mut slots));
    }
    drop(slots);
    ask_suspects(worker, &mut planned).await;
    ask_windows(worker, &mut planned).await;
    ask_what_they_stand_for(worker, &mut planned).await;
    planned
}

fn open(worker: &Worker, received: Received<DeliverMessage>, slots: &mut Slots) -> Vec<(Ticket, Plan)> {
    let now = worker.now();
    let (queue, accepted_at) = (received.message.queue(), received.message.event.head.accepted_at);
    worker.metrics.age(queue).record(now.since(accepted_at));
    let (bundle, targets) = Bundle::open(received);
    let ticket = |target: postrider_domain::message::Target| {
        let head = &bundle.event.head;
        let id = DeliveryId::derive(&head.scope, &head.id, &target.webhook, target.generation);
        let flight = worker.flights.enter(id);
        let plan = if flight.is_none() && bundle.suspect {
            debug!(delivery = %id, "a copy waits for its original");
            let again = Again { attempt: target.attempt, at: now.plus(backlog::SHORTEST) };
            worker.metrics.deferred(Deferral::Copy);
            Plan::Settle(Settlement { again: Some(again), records: Vec::new(), trace: None })
        } else {
            Plan::Deliver
        };
        let holds = Holds { _flight: flight, _slots: slots.take() };
        (Ticket { bundle: Arc::clone(&bundle), target, id, received_at: now, holds }, plan)
    };
    targets.into_iter().map(ticket).collect()
}

/// Drops what was done before. Without an answer suspects are given back.
async fn ask_suspects(worker: &Worker, planned: &mut [(Ticket, Plan)]) {
    let asks = |(ticket, plan): &&mut (Ticket, Plan)| matches!(plan, Plan::Deliver) && ticket.must_ask();
    let asking: Vec<&mut (Ticket, Plan)> = planned.iter_mut().filter(asks).collect();
    let asked: Vec<Asked> = asking
        .iter()
        .map(|(ticket, _)| Asked { id: ticket.id, day: ticket.bundle.event.head.day() })
        .collect();
    match settled(worker.deps.marks.as_ref(), worker.deps.progresses.as_ref(), &asked).await {
        Ok(known) => {
            for ((ticket, plan), progress) in asking.into_iter().zip(known) {
                if progress.is_some_and(|progress| progress.covers(ticket.target.attempt)) {
                    debug!(delivery = %ticket.id, attempt = ticket.target.attempt, "done before");
                    *plan = Plan::Settle(Settlement::nothing());
                }
            }
        }
        Err(error) => {
            worker.pause.trouble(&error.to_string());
            for (_, plan) in asking {
                *plan = Plan::Leave(Fate::Release);
            }
        }
    }
}

/// Supersedes what has a newer state in its window. Without an answer everything is sent: more calls, never fewer.
async fn ask_windows(worker: &Worker, planned: &mut [(Ticket, Plan)]) {
    let in_window = |(ticket, plan): &&mut (Ticket, Plan)| {
        matches!(plan, Plan::Deliver) && ticket.target.window.is_some()
    };
    let asking: Vec<&mut (Ticket, Plan)> = planned.iter_mut().filter(in_window).collect();
    if asking.is_empty() {
        return;
    }
    let windows: Vec<Window> = asking.iter().filter_map(|(ticket, _)| ticket.target.window.clone()).collect();
    let newest = match worker.deps.windows.newest(&windows).await {
        Ok(newest) => newest,
        Err(error) => {
            warn!(%error, "windows cannot be read; what waited in them is sent");
            return;
        }
    };
    for (((ticket, plan), window), newest) in asking.into_iter().zip(&windows).zip(newest) {
        if let Some(newest) = newest.filter(|newest| newest.supersedes(&window.rank, ticket.id)) {
            let reason = format!("a newer state of the window until {} was sent instead", window.ends_at);
            let by = Some(newest.delivery);
            let record = ticket.ended(DeliveryState::Superseded, reason, by, worker.now());
            *plan =
                Plan::Settle(Settlement { again: None, records: vec![Record::Settled(record)], trace: None });
        }
    }
}

/// Notes what the calls of windows stand for, once for all attempts. Without an answer they do not say.
async fn ask_what_they_stand_for(worker: &Worker, planned: &mut [(Ticket, Plan)]) {
    let is_unasked = |(ticket, plan): &&mut (Ticket, Plan)| {
        let target = &ticket.target;
        matches!(plan, Plan::Deliver) && target.window.is_some() && target.coalesced.is_none()
    };
    let asking: Vec<&mut (Ticket, Plan)> = planned.iter_mut().filter(is_unasked).collect();
    if asking.is_empty() {
        return;
    }
    let windows: Vec<Window> = asking.iter().filter_map(|(ticket, _)| ticket.target.window.clone()).collect();
    match worker.deps.windows.coalesced(&windows).await {
        Ok(coalesced) => {
            for ((ticket, _), coalesced) in asking.into_iter().zip(coalesced) {
                ticket.target.coalesced = coalesced.filter(Coalesced::is_worth_telling).map(Arc::new);
            }
        }
        Err(error) => warn!(%error, "windows cannot be read; their calls do not say what they stand for"),
    }
}

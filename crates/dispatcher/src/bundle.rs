//! A received delivery message: one event, up to 16 webhooks, one lease that ends when every webhook's part has ended.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postrider_domain::delivery::{DeliveryId, DeliveryRef};
use postrider_domain::event::{Carriage, Carried, Event};
use postrider_domain::message::{DeliverMessage, Target, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::bodies::Bodies;
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Lease, Received};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};

use crate::contents::Contents;

/// What its targets have in common.
pub(crate) struct Bundle {
    /// The event as it travels.
    pub(crate) event: Carried,
    /// The trace it belongs to.
    pub(crate) trace: TraceContext,
    /// Whether it may be a copy.
    pub(crate) suspect: bool,
    complete: OnceCell<Arc<Event>>,
    open: Mutex<Open>,
}

struct Open {
    lease: Option<Box<dyn Lease>>,
    targets: usize,
    fate: Fate,
}

/// How a part ended, for the lease. The gravest counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Everything it caused is durable.
    Settled,
    /// Not done, through no fault of the message.
    Release,
    /// Processing it failed in a way that must not happen.
    Reject(String),
    /// It can never be processed.
    Park(String),
}

/// One webhook's part of a bundle, with its place in the room.
pub(crate) struct Ticket {
    /// What it shares with others.
    pub(crate) bundle: Arc<Bundle>,
    /// The webhook, generation, attempt and window.
    pub(crate) target: Target,
    /// Its derived id.
    pub(crate) id: DeliveryId,
    /// When its message was received.
    pub(crate) received_at: Timestamp,
    /// What is given back when it ends.
    pub(crate) holds: Holds,
}

/// What a ticket keeps from others while it lives.
pub(crate) struct Holds {
    /// Its entry among the [`Flights`].
    pub(crate) _flight: Option<Flight>,
    /// Its places in the room: what may be received is bounded by what is held.
    pub(crate) _slots: Vec<OwnedSemaphorePermit>,
}

/// The deliveries in this process. A copy that meets its original here waits for it, because the original's evidence is
/// not there yet.
#[derive(Default)]
pub(crate) struct Flights {
    ids: Mutex<HashSet<DeliveryId>>,
}

/// Strikes a delivery off [`Flights`] when dropped.
pub(crate) struct Flight {
    flights: Arc<Flights>,
    id: DeliveryId,
}

impl Bundle {
    /// Takes a message apart: what its targets share, and the targets.
    pub(crate) fn open(received: Received<DeliverMessage>) -> (Arc<Self>, Vec<Target>) {
        let Received { message, suspect, redeliveries, trace, lease } = received;
        let open = Open { lease: Some(lease), targets: message.targets.len(), fate: Fate::Settled };
        let bundle = Self {
            event: message.event,
            trace,
            suspect: suspect || redeliveries > 0,
            complete: OnceCell::new(),
            open: Mutex::new(open),
        };
        (Arc::new(bundle), message.targets)
    }

    /// The event with its content, fetched once for all targets.
    pub(crate) async fn complete(&self, contents: &Contents, bodies: &dyn Bodies) -> PortResult<Arc<Event>> {
        let complete = self.complete.get_or_try_init(|| async {
            let content = match &self.event.content {
                Carriage::Inline(content) => content.as_ref().clone(),
                Carriage::Stored(body) => contents.get(body, bodies).await?.as_ref().clone(),
            };
            Ok(Arc::new(Event { head: self.event.head.as_ref().clone(), content }))
        });
        complete.await.map(Arc::clone)
    }

    /// One part has ended. The last ends the lease by the gravest fate of all.
    pub(crate) async fn end(&self, fate: Fate) -> PortResult<()> {
        let (lease, fate) = {
            let mut open = self.lock();
            open.targets = open.targets.saturating_sub(1);
            open.fate = open.fate.clone().max(fate);
            if open.targets > 0 {
                return Ok(());
            }
            (open.lease.take(), open.fate.clone())
        };
        match (lease, fate) {
            (None, _) => Ok(()),
            (Some(lease), Fate::Settled) => lease.ack().await,
            (Some(lease), Fate::Release) => lease.release().await,
            (Some(lease), Fate::Reject(reason)) => lease.reject(&reason).await,
            (Some(lease), Fate::Park(reason)) => lease.park(&reason).await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// What names the delivery in the log.
    pub(crate) fn delivery(&self) -> DeliveryRef {
        DeliveryRef {
            event: Arc::clone(&self.bundle.event.head),
            webhook: self.target.webhook.clone(),
            generation: self.target.generation,
        }
    }

    /// Whether it must ask how far it has come before it acts (DESIGN §2).
    pub(crate) fn must_ask(&self) -> bool {
        self.bundle.suspect || self.target.attempt > 1
    }
}

impl Flights {
    /// Enters a delivery; `None` when it is already there.
    pub(crate) fn enter(self: &Arc<Self>, id: DeliveryId) -> Option<Flight> {
        let fresh = self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        fresh.then(|| Flight { flights: Arc::clone(self), id })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

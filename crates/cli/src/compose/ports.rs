//! What stands behind the ports of the services, whichever the composition, grouped by what it is kept in.

use std::sync::Arc;

use postrider_domain::message::{DeliverMessage, EventMessage, RecordsMessage};
use postrider_domain::webhook::PlainHttp;
use postrider_ports::access::{Spaces, Tokens};
use postrider_ports::bodies::Bodies;
use postrider_ports::claims::Claims;
use postrider_ports::inbox::Inboxes;
use postrider_ports::keys::Keys;
use postrider_ports::leader::Leadership;
use postrider_ports::limits::{Breakers, Rates};
use postrider_ports::log::{Days, LogRead, LogWrite, Reopen, Retention};
use postrider_ports::progress::{Marks, Progresses};
use postrider_ports::queue::{Consumers, Depths, Parked, Publish};
use postrider_ports::reconcile::{BrokerEpoch, OpenDeliveries, Reconciliations};
use postrider_ports::registry::{Disable, Registry};
use postrider_ports::secrets::Secrets;
use postrider_ports::sender::Sender;
use postrider_ports::sources::Sources;
use postrider_ports::subscriptions::Subscriptions;
use postrider_ports::wellness::Wellness;
use postrider_ports::windows::Windows;

/// Durable queues.
#[derive(Clone)]
pub(super) struct Queues {
    pub(super) events_out: Arc<dyn Publish<EventMessage>>,
    pub(super) events_in: Arc<dyn Consumers<EventMessage>>,
    pub(super) deliver_out: Arc<dyn Publish<DeliverMessage>>,
    pub(super) deliver_in: Arc<dyn Consumers<DeliverMessage>>,
    pub(super) records_out: Arc<dyn Publish<RecordsMessage>>,
    pub(super) records_in: Arc<dyn Consumers<RecordsMessage>>,
    pub(super) depths: Arc<dyn Depths>,
    pub(super) parked: Arc<dyn Parked>,
    /// Whether the broker has its disk.
    pub(super) epochs: Arc<dyn BrokerEpoch>,
    /// What CMSs publish to the broker; the embedded system has no broker.
    pub(super) inbox: Option<Arc<dyn Inboxes>>,
}

/// Spaces, tokens, webhooks, sources, and the contents of large events.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) disable: Arc<dyn Disable>,
    pub(super) subscriptions: Arc<dyn Subscriptions>,
    pub(super) tokens: Arc<dyn Tokens>,
    pub(super) spaces: Arc<dyn Spaces>,
    pub(super) sources: Arc<dyn Sources>,
    pub(super) wellness: Arc<dyn Wellness>,
    pub(super) bodies: Arc<dyn Bodies>,
}

/// Events, deliveries, calls.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) write: Arc<dyn LogWrite>,
    pub(super) read: Arc<dyn LogRead>,
    pub(super) reopen: Arc<dyn Reopen>,
    pub(super) progresses: Arc<dyn Progresses>,
    pub(super) retention: Arc<dyn Retention>,
    pub(super) days: Arc<dyn Days>,
    /// What is open, and what was put back of it.
    pub(super) open: Arc<dyn OpenDeliveries>,
    pub(super) runs: Arc<dyn Reconciliations>,
    /// Which of several processes does what only one should do.
    pub(super) leadership: Arc<dyn Leadership>,
}

/// What may be forgotten.
#[derive(Clone)]
pub(super) struct Memory {
    pub(super) claims: Arc<dyn Claims>,
    pub(super) marks: Arc<dyn Marks>,
    pub(super) windows: Arc<dyn Windows>,
    pub(super) rates: Arc<dyn Rates>,
    pub(super) breakers: Arc<dyn Breakers>,
}

/// What calls to receivers take.
#[derive(Clone)]
pub(super) struct Outward {
    /// The key ring.
    pub(super) secrets: Arc<dyn Secrets>,
    /// The same, for who looks after it.
    pub(super) keys: Arc<dyn Keys>,
    /// The guarded way out.
    pub(super) sender: Arc<dyn Sender>,
    /// Whether `http://` receivers are allowed.
    pub(super) plain_http: PlainHttp,
}

impl Queues {
    /// All of them in one place.
    pub(super) fn of<Q>(queues: &Arc<Q>, inbox: Option<Arc<dyn Inboxes>>) -> Self
    where
        Q: Publish<EventMessage> + Publish<DeliverMessage> + Publish<RecordsMessage>,
        Q: Consumers<EventMessage> + Consumers<DeliverMessage> + Consumers<RecordsMessage>,
        Q: Depths + Parked + BrokerEpoch + 'static,
    {
        Self {
            events_out: queues.clone(),
            events_in: queues.clone(),
            deliver_out: queues.clone(),
            deliver_in: queues.clone(),
            records_out: queues.clone(),
            records_in: queues.clone(),
            depths: queues.clone(),
            parked: queues.clone(),
            epochs: queues.clone(),
            inbox,
        }
    }
}

impl Store {
    /// All in one database.
    pub(super) fn of<S>(store: &Arc<S>) -> Self
    where
        S: Registry + Disable + Subscriptions + Tokens + Spaces + Sources + Wellness + Bodies + 'static,
    {
        Self {
            registry: store.clone(),
            disable: store.clone(),
            subscriptions: store.clone(),
            tokens: store.clone(),
            spaces: store.clone(),
            sources: store.clone(),
            wellness: store.clone(),
            bodies: store.clone(),
        }
    }
}

impl Log {
    /// All in one database.
    pub(super) fn of<L>(log: &Arc<L>, leadership: Arc<dyn Leadership>) -> Self
    where
        L: LogWrite
            + Reopen
            + LogRead
            + Progresses
            + Retention
            + Days
            + OpenDeliveries
            + Reconciliations
            + 'static,
    {
        Self {
            write: log.clone(),
            read: log.clone(),
            reopen: log.clone(),
            progresses: log.clone(),
            retention: log.clone(),
            days: log.clone(),
            open: log.clone(),
            runs: log.clone(),
            leadership,
        }
    }
}

//! What the dispatcher needs from the outside.

use std::sync::Arc;

use postrider_domain::message::{DeliverMessage, EventMessage, RecordsMessage};
use postrider_ports::bodies::Bodies;
use postrider_ports::claims::Claims;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::limits::{Breakers, Rates};
use postrider_ports::progress::{Marks, Progresses};
use postrider_ports::queue::{Consumers, Publish};
use postrider_ports::registry::Disable;
use postrider_ports::secrets::Secrets;
use postrider_ports::sender::Sender;
use postrider_ports::subscriptions::Subscriptions;
use postrider_ports::wellness::Wellness;
use postrider_ports::windows::Windows;
use postrider_runtime::health::Health;

/// The ports a dispatcher works through. Clones share them.
#[derive(Clone)]
pub struct Deps {
    /// Where accepted events come from.
    pub events: Arc<dyn Consumers<EventMessage>>,
    /// Where deliveries come from.
    pub deliveries: Arc<dyn Consumers<DeliverMessage>>,
    /// Where deliveries go.
    pub deliver: Arc<dyn Publish<DeliverMessage>>,
    /// Where everything goes that the log keeps.
    pub records: Arc<dyn Publish<RecordsMessage>>,
    /// The webhooks.
    pub subscriptions: Arc<dyn Subscriptions>,
    /// Contents that do not travel with their message.
    pub bodies: Arc<dyn Bodies>,
    /// How far deliveries have come, fresh.
    pub marks: Arc<dyn Marks>,
    /// How far deliveries have come, as the log knows.
    pub progresses: Arc<dyn Progresses>,
    /// Coalescing windows.
    pub windows: Arc<dyn Windows>,
    /// Rate limits.
    pub rates: Arc<dyn Rates>,
    /// Circuit breakers, as shared with other workers.
    pub breakers: Arc<dyn Breakers>,
    /// Makes the calls.
    pub sender: Arc<dyn Sender>,
    /// Opens secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Switches off webhooks that are gone.
    pub disable: Arc<dyn Disable>,
    /// What is noted of webhooks that are not well.
    pub wellness: Arc<dyn Wellness>,
    /// Where events about webhooks go.
    pub announce: Arc<dyn Publish<EventMessage>>,
    /// The memory of accepted ids: such an event is accepted as any other.
    pub claims: Arc<dyn Claims>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// What the process says of itself.
    pub health: Health,
}

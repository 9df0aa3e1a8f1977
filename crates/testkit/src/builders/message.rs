//! Messages between the services.

use postrider_domain::event::Carried;
use postrider_domain::message::{DeliverMessage, Lane, Target, TraceContext};
use postrider_ports::queue::Outgoing;

use super::webhook_id;

/// The first attempt of the automatic delivery to a webhook.
pub fn target(webhook: &str) -> Target {
    Target { webhook: webhook_id(webhook), generation: 0, attempt: 1, window: None, coalesced: None }
}

/// The first attempts for these webhooks, in the lane `Fresh`.
pub fn deliver(event: &Carried, webhooks: &[&str]) -> DeliverMessage {
    DeliverMessage {
        event: event.clone(),
        lane: Lane::Fresh,
        targets: webhooks.iter().map(|id| target(id)).collect(),
    }
}

/// A message as a publisher hands it over: no suspect, due at once, without a trace.
pub fn outgoing<M>(message: M) -> Outgoing<M> {
    Outgoing::now(message, false, TraceContext::default())
}

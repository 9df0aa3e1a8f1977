//! Events: show one, and explain what became of it.

use std::collections::HashMap;

use postrider_domain::call::CallRecord;
use postrider_domain::event::EventHead;
use postrider_domain::id::{EnvironmentId, EventId, SpaceId, WebhookId};
use postrider_domain::record::Decision;
use postrider_domain::token::Permission;
use postrider_ports::log::{DeliveryRow, EventRow, LogQuery};

use crate::Control;
use crate::access::Actor;
use crate::calls::MOST_CALLS;
use crate::error::{ControlError, ControlResult};

/// An explanation shows at most this many calls, the newest: ten pages.
const CALL_PAGES: usize = 10;
/// Names are looked up among this many webhooks, the newest of the space.
const NAMED_WEBHOOKS: usize = 1_000;

/// What became of an event, webhook by webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The event.
    pub event: EventHead,
    /// Each webhook considered: matched ones first.
    pub webhooks: Vec<Explained>,
    /// Webhooks that did not match and are not listed.
    pub unlisted: u32,
    /// There are more calls than are shown.
    pub more_calls: bool,
}

/// What one webhook made of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Which.
    pub webhook: WebhookId,
    /// Its name now, unless it was deleted.
    pub name: Option<String>,
    /// Whether it matched, by which rule, and when its delivery is due. `None` when the record of the match is not there.
    pub decision: Option<Decision>,
    /// Its deliveries by generation, each with its calls, first attempt first; bodies are left out.
    pub deliveries: Vec<(DeliveryRow, Vec<CallRecord>)>,
}

impl Control {
    /// An event with everything it caused. Needs `calls:read`. It is there once its match is recorded, moments after it
    /// was accepted.
    pub async fn event(
        &self,
        actor: &Actor,
        space: &SpaceId,
        environment: Option<&EnvironmentId>,
        id: &EventId,
    ) -> ControlResult<EventRow> {
        self.enter(actor, space, Permission::CallsRead).await?;
        let row = self.deps.log.event(space, id).await?;
        row.filter(|row| environment.is_none_or(|wanted| *wanted == row.event.head.scope.environment))
            .ok_or_else(|| missing_event(id))
    }

    /// Which rule decided for each webhook, which calls were made, what is pending and when. Needs `calls:read`.
    pub async fn explain(
        &self,
        actor: &Actor,
        space: &SpaceId,
        environment: Option<&EnvironmentId>,
        id: &EventId,
    ) -> ControlResult<Explanation> {
        let row = self.event(actor, space, environment, id).await?;
        let (mut calls, more_calls) = self.calls_of(space, id).await?;
        let named = self.deps.registry.list(space, 0, NAMED_WEBHOOKS).await?.0;
        let names: HashMap<_, _> = named.into_iter().map(|webhook| (webhook.id, webhook.name)).collect();

        let mut order: Vec<WebhookId> = Vec::new();
        let mut explained: HashMap<WebhookId, Explained> = HashMap::new();
        let mut entry = |webhook: &WebhookId| {
            if !explained.contains_key(webhook) {
                order.push(webhook.clone());
                let name = names.get(webhook).cloned();
                let fresh =
                    Explained { webhook: webhook.clone(), name, decision: None, deliveries: Vec::new() };
                explained.insert(webhook.clone(), fresh);
            }
        };
        row.decisions.iter().for_each(|decision| entry(&decision.webhook));
        row.deliveries.iter().for_each(|delivery| entry(&delivery.delivery.webhook));
        for decision in row.decisions {
            if let Some(one) = explained.get_mut(&decision.webhook) {
                one.decision = Some(decision);
            }
        }
        let mut deliveries = row.deliveries;
        deliveries.sort_by_key(|delivery| delivery.delivery.generation);
        for delivery in deliveries {
            if let Some(one) = explained.get_mut(&delivery.delivery.webhook) {
                let calls = calls.remove(&delivery.id).unwrap_or_default();
                one.deliveries.push((delivery, calls));
            }
        }
        let webhooks = order.iter().filter_map(|webhook| explained.remove(webhook)).collect();
        Ok(Explanation { event: row.event.head, webhooks, unlisted: row.unlisted, more_calls })
    }

    /// The calls of an event by delivery, first attempt first, and whether there are more.
    async fn calls_of(&self, space: &SpaceId, event: &EventId) -> ControlResult<(CallsByDelivery, bool)> {
        let mut query = LogQuery { event: Some(event.clone()), limit: MOST_CALLS, ..LogQuery::default() };
        let mut calls = CallsByDelivery::new();
        for _ in 0..CALL_PAGES {
            let page = self.deps.log.calls(space, &query).await?;
            for mut call in page.items {
                call.request.body.clear();
                if let Some(response) = &mut call.response {
                    response.body.clear();
                }
                calls.entry(call.delivery.id()).or_default().push(call);
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        for calls in calls.values_mut() {
            calls.sort_by_key(|call| call.attempt);
        }
        Ok((calls, query.cursor.is_some()))
    }
}

type CallsByDelivery = HashMap<postrider_domain::delivery::DeliveryId, Vec<CallRecord>>;

pub(crate) fn missing_event(id: &EventId) -> ControlError {
    ControlError::NotFound(format!(
        "there is no event {id} here; one that was just accepted appears as soon as it is matched"
    ))
}

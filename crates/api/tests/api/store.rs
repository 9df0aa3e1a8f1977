//! What is stored, in memory: webhooks that can be lost in a race or be away, and a log that tests fill row by row.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::id::{CallId, EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Webhook;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{Cursor, DeliveryRow, EventRow, LogQuery, LogRead, Page, StateCounts};
use postrider_ports::registry::{Registry, Written};
use postrider_testkit::store::MemoryStore;

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) events: Mutex<Vec<EventRow>>,
    pub(crate) calls: Mutex<Vec<CallRecord>>,
    /// So many changes lose against somebody else's.
    pub(crate) races: Mutex<u32>,
    /// Before the next change somebody else makes this one.
    pub(crate) meanwhile: Mutex<Option<Webhook>>,
    /// Everything fails as if the server were away.
    pub(crate) away: Mutex<bool>,
}

impl Store {
    fn here(&self) -> PortResult<()> {
        if *self.away.lock().expect("lock") {
            return Err(PortError::transient("reading the store: disk /var/lib/postrider is away"));
        }
        Ok(())
    }

    fn loses_a_race(&self) -> bool {
        let mut races = self.races.lock().expect("lock");
        let loses = *races > 0;
        *races = races.saturating_sub(1);
        loses
    }
}

#[async_trait]
impl Registry for Store {
    async fn create(&self, webhook: &Webhook) -> PortResult<()> {
        self.memory.create(webhook).await
    }

    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written> {
        let meanwhile = self.meanwhile.lock().expect("lock").take();
        if let Some(other) = meanwhile {
            self.memory.update(&other, other.version - 1).await?;
        }
        if self.loses_a_race() {
            return Ok(Written::VersionMismatch { current: expected + 1 });
        }
        self.memory.update(webhook, expected).await
    }

    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written> {
        self.memory.delete(space, id, expected).await
    }

    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
        self.here()?;
        self.memory.get(space, id).await
    }

    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)> {
        self.here()?;
        Registry::list(&*self.memory, space, skip, limit).await
    }
}

fn wanted(query: &LogQuery, delivery: &DeliveryRef, state: DeliveryState, at: Timestamp) -> bool {
    let head = &delivery.event;
    query.webhook.as_ref().is_none_or(|webhook| *webhook == delivery.webhook)
        && query.event.as_ref().is_none_or(|event| *event == head.id)
        && query.environment.as_ref().is_none_or(|environment| *environment == head.scope.environment)
        && query.event_type.as_ref().is_none_or(|event_type| event_type == head.event_type.as_str())
        && query.action.as_ref().is_none_or(|action| action == head.action.as_str())
        && query.state.is_none_or(|wanted| wanted == state)
        && query.from.is_none_or(|from| at >= from)
        && query.to.is_none_or(|to| at < to)
}

fn page<T>(mut rows: Vec<(Cursor, T)>, query: &LogQuery) -> Page<T> {
    rows.sort_by_key(|(cursor, _)| (cursor.at, cursor.id));
    let ascending = query.order.is_ascending();
    if !ascending {
        rows.reverse();
    }
    let total = rows.len();
    rows.retain(|(at, _)| {
        let (at, cursor) = ((at.at, at.id), query.cursor.as_ref().map(|cursor| (cursor.at, cursor.id)));
        cursor.is_none_or(|cursor| if ascending { at > cursor } else { at < cursor })
    });
    rows.drain(..query.skip.min(rows.len()));
    let more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let next = rows.last().map(|(cursor, _)| cursor.clone()).filter(|_| more);
    Page { items: rows.into_iter().map(|(_, row)| row).collect(), next, total, at_least: false }
}

#[async_trait]
impl LogRead for Store {
    async fn event(&self, space: &SpaceId, id: &EventId) -> PortResult<Option<EventRow>> {
        let all = self.events.lock().expect("lock");
        Ok(all.iter().find(|row| row.event.head.scope.space == *space && row.event.head.id == *id).cloned())
    }

    async fn calls(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<CallRecord>> {
        let all = self.calls.lock().expect("lock");
        let own = all.iter().filter(|call| call.delivery.event.scope.space == *space);
        let rows = own.filter(|call| wanted(query, &call.delivery, call.state, call.started_at));
        Ok(page(
            rows.map(|call| (Cursor { at: call.started_at, id: call.id.0 }, call.clone())).collect(),
            query,
        ))
    }

    async fn call(&self, space: &SpaceId, id: CallId) -> PortResult<Option<CallRecord>> {
        let all = self.calls.lock().expect("lock");
        Ok(all.iter().find(|call| call.delivery.event.scope.space == *space && call.id == id).cloned())
    }

    async fn deliveries(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<DeliveryRow>> {
        let all = self.events.lock().expect("lock");
        let own =
            all.iter().filter(|row| row.event.head.scope.space == *space).flat_map(|row| &row.deliveries);
        let rows = own.filter(|row| {
            wanted(query, &row.delivery, row.state, row.updated_at)
                && query.tried.is_none_or(|tried| tried == (row.attempt > 0))
                && query.next_from.is_none_or(|from| row.next_at.is_some_and(|next| next >= from))
                && query.next_to.is_none_or(|to| row.next_at.is_some_and(|next| next < to))
        });
        let rows = rows.filter_map(|row| {
            let at = if query.order.is_by_next_attempt() { row.next_at? } else { row.updated_at };
            Some((Cursor { at, id: row.id.0 }, row.clone()))
        });
        Ok(page(rows.collect(), query))
    }

    async fn open_generation(
        &self,
        space: &SpaceId,
        event: &EventId,
        webhook: &WebhookId,
        now: Timestamp,
    ) -> PortResult<Option<DeliveryRow>> {
        let mut all = self.events.lock().expect("lock");
        let found =
            all.iter_mut().find(|row| row.event.head.scope.space == *space && row.event.head.id == *event);
        let Some(row) = found else { return Ok(None) };
        let own = row.deliveries.iter().filter(|one| one.delivery.webhook == *webhook);
        let Some(last) = own.max_by_key(|one| one.delivery.generation).cloned() else { return Ok(None) };
        let delivery = DeliveryRef { generation: last.delivery.generation + 1, ..last.delivery };
        let opened = DeliveryRow {
            id: delivery.id(),
            delivery,
            state: DeliveryState::Pending,
            attempt: 0,
            next_at: None,
            reason: None,
            superseded_by: None,
            updated_at: now,
        };
        row.deliveries.push(opened.clone());
        Ok(Some(opened))
    }

    async fn balance(&self, space: Option<&SpaceId>) -> PortResult<StateCounts> {
        let all = self.events.lock().expect("lock");
        let own = all.iter().filter(|row| space.is_none_or(|space| row.event.head.scope.space == *space));
        let states: Vec<_> = own
            .flat_map(|row| &row.deliveries)
            .filter(|row| row.delivery.generation == 0)
            .map(|row| row.state)
            .collect();
        let count = |state| states.iter().filter(|one| **one == state).count() as u64;
        Ok(DeliveryState::ALL.into_iter().map(|state| (state, count(state))).collect())
    }
}

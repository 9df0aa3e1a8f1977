//! The log and the bodies in memory.

mod open;
mod pages;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryRef, DeliveryState, Progress};
use postrider_domain::event::{BodyRef, Carriage, Content, Event, EventHead};
use postrider_domain::id::{CallId, EventId, SpaceId, WebhookId};
use postrider_domain::record::{MatchRecord, Record, SettledRecord};
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::bodies::Bodies;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{
    Days, DeliveryRow, EventRow, LogQuery, LogRead, LogWrite, Page, Poisoned, Removed, Reopen, Retention,
    StateCounts,
};
use postrider_ports::progress::{Asked, Progresses};
use postrider_wire::Wire;
use sha2::{Digest, Sha256};

/// Removed at a time: few, so that tests meet `more`.
const CHUNK: usize = 10;

/// The log: `LogWrite`, `Reopen`, `LogRead`, `Progresses`, `Retention`, `Days`, `Bodies`.
#[derive(Default)]
pub struct MemoryLog(Mutex<State>);

#[derive(Default)]
struct State {
    events: BTreeMap<(Day, SpaceId, EventId), KeptEvent>,
    deliveries: BTreeMap<(Day, DeliveryId), DeliveryRow>,
    calls: BTreeMap<CallId, CallRecord>,
    bodies: BTreeMap<(Day, [u8; 32]), Content>,
}

struct KeptEvent {
    head: Arc<EventHead>,
    matched: Option<MatchRecord>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Matched(matched) => self.write_match(matched),
            Record::Call(call) => self.write_call(call),
            Record::Settled(settled) => self.write_settled(settled)?,
        }
        Ok(())
    }

    fn event(&mut self, head: &Arc<EventHead>) -> &mut KeptEvent {
        let key = (head.day(), head.scope.space.clone(), head.id.clone());
        self.events.entry(key).or_insert_with(|| KeptEvent { head: Arc::clone(head), matched: None })
    }

    fn write_match(&mut self, matched: &MatchRecord) {
        let head = &matched.event.head;
        let event = self.event(head);
        if matched.part == 0 {
            event.matched.get_or_insert_with(|| matched.clone());
        }
        for decision in matched.decisions.iter().filter(|decision| decision.verdict.matched) {
            let webhook = decision.webhook.clone();
            let delivery = DeliveryRef { event: Arc::clone(head), webhook, generation: 0 };
            let row = DeliveryRow { next_at: decision.due_at, ..pending(delivery, matched.at) };
            self.advance(row);
        }
    }

    fn write_call(&mut self, call: &CallRecord) {
        self.event(&call.delivery.event);
        self.calls.entry(call.id).or_insert_with(|| call.clone());
        self.advance(DeliveryRow {
            state: call.state,
            attempt: call.attempt,
            next_at: call.next_at,
            ..pending(call.delivery.clone(), call.started_at.plus(call.timings.total))
        });
    }

    /// As Postgres does, this log cannot keep a text with a NUL.
    fn write_settled(&mut self, settled: &SettledRecord) -> Result<(), String> {
        if settled.reason.contains('\0') {
            return Err("a reason cannot contain NUL".to_owned());
        }
        self.event(&settled.delivery.event);
        self.advance(DeliveryRow {
            state: settled.state,
            attempt: settled.attempt,
            reason: Some(settled.reason.clone()),
            superseded_by: settled.by,
            ..pending(settled.delivery.clone(), settled.at)
        });
        Ok(())
    }

    /// Writes a delivery if it is farther than what is known.
    fn advance(&mut self, row: DeliveryRow) {
        let progress = |row: &DeliveryRow| Progress { state: row.state, attempt: row.attempt };
        let key = (row.delivery.event.day(), row.id);
        let known = self.deliveries.get(&key).map(progress);
        if known.is_none_or(|known| progress(&row).replaces(known)) {
            let attempt = known.map_or(row.attempt, |known| progress(&row).following(known).attempt);
            self.deliveries.insert(key, DeliveryRow { attempt, ..row });
        }
    }

    fn of_event<'s>(&'s self, space: &'s SpaceId, id: &'s EventId) -> impl Iterator<Item = &'s DeliveryRow> {
        self.deliveries.values().filter(move |row| {
            let head = &row.delivery.event;
            head.scope.space == *space && head.id == *id
        })
    }

    fn remove_before(&mut self, before: Day) -> usize {
        let old = |call: &CallRecord| call.started_at.day() < before;
        let calls: Vec<_> = self.calls.values().filter(|call| old(call)).map(|call| call.id).collect();
        let ended = |row: &DeliveryRow| row.state.is_final() && row.delivery.event.day() < before;
        let deliveries: Vec<_> =
            self.deliveries.iter().filter(|(_, row)| ended(row)).map(|(key, _)| *key).collect();
        let mut removed = 0;
        for id in calls.into_iter().take(CHUNK) {
            removed += usize::from(self.calls.remove(&id).is_some());
        }
        for key in deliveries.into_iter().take(CHUNK) {
            removed += usize::from(self.deliveries.remove(&key).is_some());
        }
        // An event stays as long as a delivery of it does, a body as long as its event.
        let needed = |head: &EventHead| self.of_event(&head.scope.space, &head.id).next().is_some();
        let events: Vec<_> = self
            .events
            .iter()
            .filter(|((day, ..), kept)| *day < before && !needed(&kept.head))
            .map(|(key, _)| key.clone())
            .collect();
        for key in events.into_iter().take(CHUNK) {
            removed += usize::from(self.events.remove(&key).is_some());
        }
        let named: Vec<_> = self.events.values().filter_map(KeptEvent::body).collect();
        let count = self.bodies.len();
        self.bodies.retain(|key, _| key.0 >= before || named.contains(key));
        removed + count - self.bodies.len()
    }
}

impl KeptEvent {
    fn body(&self) -> Option<(Day, [u8; 32])> {
        match &self.matched.as_ref()?.event.content {
            Carriage::Inline(_) => None,
            Carriage::Stored(body) => Some((body.day, body.sha256)),
        }
    }
}

fn pending(delivery: DeliveryRef, updated_at: Timestamp) -> DeliveryRow {
    DeliveryRow {
        id: delivery.id(),
        delivery,
        state: DeliveryState::Pending,
        attempt: 0,
        next_at: None,
        reason: None,
        superseded_by: None,
        updated_at,
    }
}

#[async_trait]
impl LogWrite for MemoryLog {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        let mut state = self.lock();
        let written = batch.iter().map(|record| state.write(record)).enumerate();
        Ok(written.filter_map(|(index, done)| Some(Poisoned { index, reason: done.err()? })).collect())
    }
}

#[async_trait]
impl Reopen for MemoryLog {
    async fn reopen(&self, deliveries: &[Asked], now: Timestamp) -> PortResult<()> {
        let mut state = self.lock();
        for asked in deliveries {
            let row = state.deliveries.get_mut(&(asked.day, asked.id));
            if let Some(row) = row.filter(|row| row.state == DeliveryState::Parked) {
                *row = DeliveryRow { attempt: row.attempt, ..pending(row.delivery.clone(), now) };
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Days for MemoryLog {
    async fn prepare(&self, _: Day) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Retention for MemoryLog {
    async fn remove_before(&self, before: Day) -> PortResult<Removed> {
        let rows = self.lock().remove_before(before);
        Ok(Removed { rows: rows as u64, more: rows > 0 })
    }
}

#[async_trait]
impl LogRead for MemoryLog {
    async fn event(&self, space: &SpaceId, id: &EventId) -> PortResult<Option<EventRow>> {
        let state = self.lock();
        let found = state.events.iter().rev().find(|((_, of, name), _)| of == space && name == id);
        let Some((_, KeptEvent { head, matched: Some(matched) })) = found else { return Ok(None) };
        let content = match &matched.event.content {
            Carriage::Inline(content) => Content::clone(content),
            Carriage::Stored(body) => state.body(body)?,
        };
        let deliveries = state.of_event(space, id).filter(|row| row.delivery.event.day() == head.day());
        let mut deliveries: Vec<_> = deliveries.cloned().collect();
        deliveries.sort_by_key(|row| (row.delivery.webhook.clone(), row.delivery.generation));
        Ok(Some(EventRow {
            event: Event { head: EventHead::clone(head), content },
            decisions: matched.decisions.clone(),
            unlisted: matched.unlisted,
            deliveries,
        }))
    }

    async fn calls(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<CallRecord>> {
        Ok(pages::page(self.lock().calls.values(), space, query))
    }

    async fn call(&self, space: &SpaceId, id: CallId) -> PortResult<Option<CallRecord>> {
        let state = self.lock();
        Ok(state.calls.get(&id).filter(|call| call.delivery.event.scope.space == *space).cloned())
    }

    async fn deliveries(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<DeliveryRow>> {
        Ok(pages::page(self.lock().deliveries.values(), space, query))
    }

    async fn open_generation(
        &self,
        space: &SpaceId,
        event: &EventId,
        webhook: &WebhookId,
        now: Timestamp,
    ) -> PortResult<Option<DeliveryRow>> {
        let mut state = self.lock();
        let of_webhook = state.of_event(space, event).filter(|row| row.delivery.webhook == *webhook);
        let Some(last) = of_webhook.max_by_key(|row| row.delivery.generation) else { return Ok(None) };
        let delivery = DeliveryRef { generation: last.delivery.generation + 1, ..last.delivery.clone() };
        let row = DeliveryRow { next_at: Some(now), ..pending(delivery, now) };
        state.advance(row.clone());
        Ok(Some(row))
    }

    async fn balance(&self, space: Option<&SpaceId>) -> PortResult<StateCounts> {
        let state = self.lock();
        let counted = state.deliveries.values().filter(|row| {
            row.delivery.generation == 0 && space.is_none_or(|space| row.delivery.event.scope.space == *space)
        });
        let mut counts = StateCounts::new();
        for row in counted {
            match counts.iter_mut().find(|(of, _)| *of == row.state) {
                Some((_, count)) => *count += 1,
                None => counts.push((row.state, 1)),
            }
        }
        Ok(counts)
    }
}

#[async_trait]
impl Progresses for MemoryLog {
    async fn progress(&self, asked: &[Asked]) -> PortResult<Vec<Option<Progress>>> {
        let state = self.lock();
        let of = |row: &DeliveryRow| Progress { state: row.state, attempt: row.attempt };
        Ok(asked.iter().map(|one| state.deliveries.get(&(one.day, one.id)).map(of)).collect())
    }
}

impl State {
    fn body(&self, body: &BodyRef) -> PortResult<Content> {
        let found = self.bodies.get(&(body.day, body.sha256)).cloned();
        found.ok_or_else(|| PortError::permanent(format!("the content of {} is gone", body.day)))
    }
}

#[async_trait]
impl Bodies for MemoryLog {
    async fn put(&self, day: Day, content: &Content) -> PortResult<BodyRef> {
        let bytes = content.encode();
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let length = u32::try_from(bytes.len()).map_err(|_| PortError::permanent("4 GiB is too large"))?;
        self.lock().bodies.insert((day, sha256), content.clone());
        Ok(BodyRef { day, sha256, length })
    }

    async fn get(&self, body: &BodyRef) -> PortResult<Content> {
        self.lock().body(body)
    }
}

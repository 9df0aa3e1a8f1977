//! Folds the records of a batch into rows: one for each event, delivery and call, however often it occurs, because one
//! statement cannot touch a row twice. Rows are in the order of their keys, so that two writers never wait for each other
//! crosswise.

use std::collections::BTreeMap;
use std::sync::Arc;

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryRef, DeliveryState, Progress};
use postrider_domain::event::EventHead;
use postrider_domain::id::{EventId, SpaceId};
use postrider_domain::record::{MatchRecord, Record};
use postrider_domain::timestamp::{Day, Timestamp};
use uuid::Uuid;

use super::rows::call_day;

/// The key of an event.
pub(super) type EventKey = (SpaceId, EventId, Day);

/// An event: its head alone, or with the record of its matching.
pub(super) struct EventEntry<'r> {
    pub(super) head: &'r EventHead,
    pub(super) matched: Option<&'r MatchRecord>,
}

/// A delivery as far as it has come.
pub(super) struct DeliveryEntry {
    pub(super) delivery: DeliveryRef,
    pub(super) progress: Progress,
    pub(super) next_at: Option<Timestamp>,
    pub(super) reason: Option<String>,
    pub(super) superseded_by: Option<DeliveryId>,
    pub(super) at: Timestamp,
}

/// The rows of a batch.
#[derive(Default)]
pub(super) struct Batch<'r> {
    pub(super) events: BTreeMap<EventKey, EventEntry<'r>>,
    pub(super) deliveries: BTreeMap<(Day, Uuid), DeliveryEntry>,
    pub(super) calls: BTreeMap<(Day, Uuid), &'r CallRecord>,
}

impl<'r> Batch<'r> {
    /// Folds records in the order of their arrival.
    pub(super) fn of(records: &'r [Record]) -> Self {
        let mut batch = Self::default();
        for record in records {
            match record {
                Record::Matched(matched) => batch.matched(matched),
                Record::Call(call) => batch.call(call),
                Record::Settled(settled) => batch.delivery(
                    &settled.delivery.event,
                    DeliveryEntry {
                        delivery: settled.delivery.clone(),
                        progress: Progress { state: settled.state, attempt: settled.attempt },
                        next_at: None,
                        reason: Some(settled.reason.clone()),
                        superseded_by: settled.by,
                        at: settled.at,
                    },
                ),
            }
        }
        batch
    }

    /// The days of all rows.
    pub(super) fn days(&self) -> impl Iterator<Item = Day> {
        self.events.keys().map(|key| key.2).chain(self.calls.keys().map(|key| key.0))
    }

    fn matched(&mut self, matched: &'r MatchRecord) {
        let head = &matched.event.head;
        let event = self.event(head);
        if matched.part == 0 {
            event.matched.get_or_insert(matched);
        }
        for decision in matched.decisions.iter().filter(|decision| decision.verdict.matched) {
            let delivery =
                DeliveryRef { event: Arc::clone(head), webhook: decision.webhook.clone(), generation: 0 };
            let entry = DeliveryEntry {
                delivery,
                progress: Progress { state: DeliveryState::Pending, attempt: 0 },
                next_at: decision.due_at,
                reason: None,
                superseded_by: None,
                at: matched.at,
            };
            self.delivery(head, entry);
        }
    }

    fn call(&mut self, call: &'r CallRecord) {
        self.calls.entry((call_day(call.id), call.id.0)).or_insert(call);
        let entry = DeliveryEntry {
            delivery: call.delivery.clone(),
            progress: Progress { state: call.state, attempt: call.attempt },
            next_at: call.next_at,
            reason: None,
            superseded_by: None,
            at: call.started_at.plus(call.timings.total),
        };
        self.delivery(&call.delivery.event, entry);
    }

    fn event(&mut self, head: &'r EventHead) -> &mut EventEntry<'r> {
        let key = (head.scope.space.clone(), head.id.clone(), head.day());
        self.events.entry(key).or_insert(EventEntry { head, matched: None })
    }

    fn delivery(&mut self, head: &'r EventHead, entry: DeliveryEntry) {
        self.event(head);
        let key = (head.day(), entry.delivery.id().0);
        match self.deliveries.get_mut(&key) {
            Some(known) if !entry.progress.replaces(known.progress) => {}
            Some(known) => {
                let progress = entry.progress.following(known.progress);
                *known = DeliveryEntry { progress, ..entry };
            }
            None => drop(self.deliveries.insert(key, entry)),
        }
    }
}

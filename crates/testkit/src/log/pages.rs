//! Pages of what a log query asks for.

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::id::SpaceId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::log::{Cursor, DeliveryRow, EXACT_TOTAL, LogQuery, Page};
use uuid::Uuid;

/// What can be listed.
pub(super) trait Listed: Clone {
    fn delivery(&self) -> &DeliveryRef;
    fn state(&self) -> DeliveryState;
    fn place(&self) -> (Timestamp, Uuid);
}

impl Listed for CallRecord {
    fn delivery(&self) -> &DeliveryRef {
        &self.delivery
    }

    fn state(&self) -> DeliveryState {
        self.state
    }

    fn place(&self) -> (Timestamp, Uuid) {
        (self.started_at, self.id.0)
    }
}

impl Listed for DeliveryRow {
    fn delivery(&self) -> &DeliveryRef {
        &self.delivery
    }

    fn state(&self) -> DeliveryState {
        self.state
    }

    fn place(&self) -> (Timestamp, Uuid) {
        (self.updated_at, self.id.0)
    }
}

/// The page, newest first.
pub(super) fn page<'r, T: Listed + 'r>(
    rows: impl Iterator<Item = &'r T>,
    space: &SpaceId,
    query: &LogQuery,
) -> Page<T> {
    let mut found: Vec<&T> = rows.filter(|row| takes(*row, space, query)).collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.place()));
    let total = found.len().min(EXACT_TOTAL);
    if let Some(cursor) = &query.cursor {
        found.retain(|row| row.place() < (cursor.at, cursor.id));
    }
    let items: Vec<T> = found.iter().skip(query.skip).take(query.limit).map(|row| (*row).clone()).collect();
    let is_last = query.skip + items.len() >= found.len();
    let next = items.last().filter(|_| !is_last).map(|row| {
        let (at, id) = row.place();
        Cursor { at, id }
    });
    Page { items, next, total, at_least: false }
}

fn takes(row: &impl Listed, space: &SpaceId, query: &LogQuery) -> bool {
    let (delivery, at) = (row.delivery(), row.place().0);
    let head = &delivery.event;
    head.scope.space == *space
        && query.webhook.as_ref().is_none_or(|wanted| delivery.webhook == *wanted)
        && query.environment.as_ref().is_none_or(|wanted| head.scope.environment == *wanted)
        && query.event.as_ref().is_none_or(|wanted| head.id == *wanted)
        && query.event_type.as_ref().is_none_or(|wanted| head.event_type.as_str() == wanted)
        && query.action.as_ref().is_none_or(|wanted| head.action.as_str() == wanted)
        && query.state.is_none_or(|wanted| row.state() == wanted)
        && query.from.is_none_or(|from| at >= from)
        && query.to.is_none_or(|to| at < to)
}

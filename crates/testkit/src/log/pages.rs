//! Pages of what a log query asks for.

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::id::SpaceId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::log::{Cursor, DeliveryRow, EXACT_TOTAL, LogQuery, Order, Page};
use uuid::Uuid;

/// What can be listed.
pub(super) trait Listed: Clone {
    fn delivery(&self) -> &DeliveryRef;
    fn state(&self) -> DeliveryState;
    /// Where it stands in this order; `None` if it is not in that list.
    fn place(&self, order: Order) -> Option<(Timestamp, Uuid)>;
    /// When it was started or last changed.
    fn at(&self) -> Timestamp;
    fn attempt(&self) -> u32;
}

impl Listed for CallRecord {
    fn delivery(&self) -> &DeliveryRef {
        &self.delivery
    }

    fn state(&self) -> DeliveryState {
        self.state
    }

    fn place(&self, _: Order) -> Option<(Timestamp, Uuid)> {
        Some((self.started_at, self.id.0))
    }

    fn at(&self) -> Timestamp {
        self.started_at
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl Listed for DeliveryRow {
    fn delivery(&self) -> &DeliveryRef {
        &self.delivery
    }

    fn state(&self) -> DeliveryState {
        self.state
    }

    fn place(&self, order: Order) -> Option<(Timestamp, Uuid)> {
        let at = if order.is_by_next_attempt() { self.next_at? } else { self.updated_at };
        Some((at, self.id.0))
    }

    fn at(&self) -> Timestamp {
        self.updated_at
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// The page, in the order that is asked for.
pub(super) fn page<'r, T: Listed + 'r>(
    rows: impl Iterator<Item = &'r T>,
    space: &SpaceId,
    query: &LogQuery,
) -> Page<T> {
    let placed = |row: &'r T| Some((row.place(query.order)?, row));
    let mut found: Vec<_> = rows.filter(|row| takes(*row, space, query)).filter_map(placed).collect();
    found.sort_by_key(|(place, _)| *place);
    let ascending = query.order.is_ascending();
    if !ascending {
        found.reverse();
    }
    let total = found.len().min(EXACT_TOTAL);
    if let Some(cursor) = &query.cursor {
        let last = (cursor.at, cursor.id);
        let shown = found.iter().position(|(place, _)| if ascending { *place > last } else { *place < last });
        found.drain(..shown.unwrap_or(found.len()));
    }
    let shown: Vec<_> = found.iter().skip(query.skip).take(query.limit).collect();
    let is_last = query.skip + shown.len() >= found.len();
    let next = shown.last().filter(|_| !is_last).map(|((at, id), _)| Cursor { at: *at, id: *id });
    Page { items: shown.iter().map(|(_, row)| T::clone(row)).collect(), next, total, at_least: false }
}

fn takes(row: &impl Listed, space: &SpaceId, query: &LogQuery) -> bool {
    let (delivery, at) = (row.delivery(), row.at());
    let head = &delivery.event;
    let next = row.place(Order::Soonest).map(|(at, _)| at);
    head.scope.space == *space
        && query.webhook.as_ref().is_none_or(|wanted| delivery.webhook == *wanted)
        && query.environment.as_ref().is_none_or(|wanted| head.scope.environment == *wanted)
        && query.event.as_ref().is_none_or(|wanted| head.id == *wanted)
        && query.event_type.as_ref().is_none_or(|wanted| head.event_type.as_str() == wanted)
        && query.action.as_ref().is_none_or(|wanted| head.action.as_str() == wanted)
        && query.state.is_none_or(|wanted| row.state() == wanted)
        && query.tried.is_none_or(|wanted| (row.attempt() > 0) == wanted)
        && query.from.is_none_or(|from| at >= from)
        && query.to.is_none_or(|to| at < to)
        && query.next_from.is_none_or(|from| next.is_some_and(|next| next >= from))
        && query.next_to.is_none_or(|to| next.is_some_and(|next| next < to))
}

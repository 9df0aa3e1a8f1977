//! Looks for the deliveries that have not come to their end.

use async_trait::async_trait;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::Carriage;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::DeliveryRow;
use postrider_ports::reconcile::{OpenDeliveries, OpenDelivery, OpenPage, Place, Wanted};

use super::{MemoryLog, State};

#[async_trait]
impl OpenDeliveries for MemoryLog {
    async fn open(&self, wanted: &Wanted) -> PortResult<OpenPage> {
        let state = self.lock();
        let mut rows: Vec<(Place, &DeliveryRow)> =
            state.deliveries.values().filter_map(|row| Some((place(row, wanted)?, row))).collect();
        rows.retain(|(place, row)| wanted.after.as_ref() < Some(place) && row.updated_at < wanted.until);
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        rows.truncate(wanted.limit);
        let mut page = OpenPage { items: Vec::new(), next: rows.last().map(|(place, _)| place.clone()) };
        for (_, row) in rows {
            let due = row.next_at.unwrap_or(row.updated_at);
            if wanted.due_before.is_some_and(|before| due >= before) {
                continue;
            }
            page.items.push(OpenDelivery {
                event: row.delivery.event.clone(),
                content: state.content(row),
                webhook: row.delivery.webhook.clone(),
                generation: row.delivery.generation,
                state: row.state,
                attempt: row.attempt,
                next_at: row.next_at,
            });
        }
        Ok(page)
    }

    async fn last_change(&self, before: Timestamp) -> PortResult<Option<Timestamp>> {
        let state = self.lock();
        Ok(state.deliveries.values().map(|row| row.updated_at).filter(|at| *at < before).max())
    }
}

/// Where it stands on the walk, if it is open.
fn place(row: &DeliveryRow, wanted: &Wanted) -> Option<Place> {
    let parked = match row.state {
        DeliveryState::Pending => false,
        DeliveryState::Parked if wanted.parked => true,
        _ => return None,
    };
    let space = row.delivery.event.scope.space.clone();
    Some(Place { space, parked, at: row.updated_at, id: row.id.0 })
}

impl State {
    fn content(&self, row: &DeliveryRow) -> Option<Carriage> {
        let head = &row.delivery.event;
        let kept = self.events.get(&(head.day(), head.scope.space.clone(), head.id.clone()))?;
        kept.matched.as_ref().map(|matched| matched.event.content.clone())
    }
}

//! The read side: one event with all it caused, one call, the balance; the lists are in `pages.rs`.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::call::CallRecord;
use postrider_domain::event::{Content, Event};
use postrider_domain::id::{CallId, EventId, SpaceId, WebhookId};
use postrider_domain::record::Decision;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::bodies::Bodies;
use postrider_ports::error::PortResult;
use postrider_ports::log::{DeliveryRow, EventRow, LogQuery, LogRead, Page, StateCounts};
use postrider_wire::Wire;

use super::{generation, pages, rows};
use crate::database::Database;
use crate::fault::{fail, undecodable};
use crate::row;

#[async_trait]
impl LogRead for Database {
    async fn event(&self, space: &SpaceId, id: &EventId) -> PortResult<Option<EventRow>> {
        let fail = fail("read an event");
        // An id is remembered for a day, so it may have come again on a later one: the last one counts.
        let row = sqlx::query(
            "SELECT * FROM events WHERE space = $1 AND id = $2 AND decisions IS NOT NULL ORDER BY day DESC LIMIT 1",
        )
        .bind(space.as_str())
        .bind(id.as_str())
        .fetch_optional(self.pool())
        .await
        .map_err(fail)?;
        let Some(row) = row else { return Ok(None) };
        let head = rows::head(&row)?;
        let found = sqlx::query(
            "SELECT * FROM deliveries WHERE space = $1 AND event = $2 AND day = $3 ORDER BY webhook, generation",
        )
        .bind(space.as_str())
        .bind(id.as_str())
        .bind(head.day().0)
        .fetch_all(self.pool())
        .await
        .map_err(fail)?;
        let deliveries = found.iter().map(|row| rows::delivery_of(row, Arc::clone(&head)));
        let deliveries = deliveries.collect::<PortResult<_>>()?;
        let content = match rows::body(&row)? {
            Some(body) => Bodies::get(self, &body).await?,
            None => Content::decode(row::get(&row, "content")?)
                .map_err(|error| undecodable("content of an event", &error))?,
        };
        Ok(Some(EventRow {
            event: Event { head: Arc::unwrap_or_clone(head), content },
            decisions: Vec::<Decision>::decode(row::get(&row, "decisions")?)
                .map_err(|error| undecodable("decisions of an event", &error))?,
            unlisted: row::number(&row, "unlisted")?,
            deliveries,
        }))
    }

    async fn calls(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<CallRecord>> {
        pages::calls(self, space, query).await
    }

    async fn call(&self, space: &SpaceId, id: CallId) -> PortResult<Option<CallRecord>> {
        let row = sqlx::query("SELECT record FROM calls WHERE day = $1 AND id = $2 AND space = $3")
            .bind(rows::call_day(id).0)
            .bind(id.0.as_bytes().as_slice())
            .bind(space.as_str())
            .fetch_optional(self.pool())
            .await
            .map_err(fail("read a call"))?;
        row.as_ref().map(rows::call).transpose()
    }

    async fn deliveries(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<DeliveryRow>> {
        pages::deliveries(self, space, query).await
    }

    async fn open_generation(
        &self,
        space: &SpaceId,
        event: &EventId,
        webhook: &WebhookId,
        now: Timestamp,
    ) -> PortResult<Option<DeliveryRow>> {
        generation::open(self, space, event, webhook, now).await
    }

    async fn balance(&self, space: Option<&SpaceId>) -> PortResult<StateCounts> {
        let fail = fail("count deliveries");
        let counts = match space {
            Some(space) => sqlx::query(
                "SELECT state, SUM(count)::bigint AS count FROM delivery_counts WHERE space = $1 GROUP BY state \
                 HAVING SUM(count) <> 0",
            )
            .bind(space.as_str()),
            None => sqlx::query(
                "SELECT state, SUM(count)::bigint AS count FROM delivery_counts GROUP BY state HAVING SUM(count) <> 0",
            ),
        };
        let counts = counts.fetch_all(self.pool()).await.map_err(fail)?;
        counts
            .iter()
            .map(|row| Ok((rows::state(row::get(row, "state")?)?, row::number(row, "count")?)))
            .collect()
    }
}

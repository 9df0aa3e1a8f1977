//! Walks over the deliveries that have not come to their end, along the index of those in a state of a space.

use async_trait::async_trait;
use postrider_domain::event::{Carriage, Content};
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::reconcile::{OpenDeliveries, OpenDelivery, OpenPage, Place, Wanted};
use postrider_wire::Wire;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::rows::{self, damaged, get};
use crate::database::Database;
use crate::fault::{port_error, undecodable};
use crate::instant;

const WHAT: &str = "look for open deliveries";
/// A page looks into so many states of spaces at most: a few milliseconds where all of them are empty.
const LOOKS: usize = 100;

/// Rows of one state of a space behind a place. The state stands in the text, because the index is one of some states only.
macro_rules! walk {
    ($state:literal) => {
        concat!(
            "SELECT d.*, e.head, e.content, e.body_sha256, e.body_day, e.body_length \
             FROM (SELECT * FROM deliveries WHERE space = ?1 AND state = '",
            $state,
            "' AND updated_at < ?2 AND (updated_at, id) > (?3, ?4) ORDER BY updated_at, id LIMIT ?5) d \
             JOIN events e ON e.space = d.space AND e.id = d.event AND e.day = d.day ORDER BY d.updated_at, d.id"
        )
    };
}

#[async_trait]
impl OpenDeliveries for Database {
    async fn open(&self, wanted: &Wanted) -> PortResult<OpenPage> {
        let mut page = OpenPage { items: Vec::new(), next: None };
        let mut reader = self.reader(WHAT).await?;
        let mut place = match &wanted.after {
            Some(place) => Some(place.clone()),
            None => next_space(&mut reader, None).await?.map(|space| Place::before(space, false)),
        };
        for _ in 0..LOOKS {
            let Some(from) = place else { return Ok(page) };
            let rows = walk(&mut reader, &from, wanted).await?;
            for row in &rows {
                page.next = Some(Place {
                    space: from.space.clone(),
                    parked: from.parked,
                    at: instant::at(row, "updated_at").map_err(fail)?,
                    id: rows::uuid(get(row, "id")?)?,
                });
                take(&mut page, wanted, row)?;
            }
            if !rows.is_empty() {
                return Ok(page);
            }
            place = if wanted.parked && !from.parked {
                Some(Place::before(from.space, true))
            } else {
                next_space(&mut reader, Some(&from.space)).await?.map(|space| Place::before(space, false))
            };
            page.next.clone_from(&place);
        }
        Ok(page)
    }

    async fn last_change(&self, before: Timestamp) -> PortResult<Option<Timestamp>> {
        let mut reader = self.reader(WHAT).await?;
        let (mut last, mut space) = (None, next_space(&mut reader, None).await?);
        while let Some(of) = space {
            let row = sqlx::query(
                "SELECT updated_at FROM deliveries WHERE space = ?1 AND updated_at < ?2 ORDER BY updated_at DESC LIMIT 1",
            )
            .bind(of.as_str())
            .bind(before.unix_ms())
            .fetch_optional(&mut *reader)
            .await
            .map_err(fail)?;
            last = last.max(row.map(|row| instant::at(&row, "updated_at")).transpose().map_err(fail)?);
            space = next_space(&mut reader, Some(&of)).await?;
        }
        Ok(last)
    }
}

fn fail(error: sqlx::Error) -> PortError {
    port_error(WHAT, error)
}

/// The first space behind another that has deliveries.
async fn next_space(reader: &mut SqliteConnection, after: Option<&SpaceId>) -> PortResult<Option<SpaceId>> {
    let row = sqlx::query("SELECT space FROM deliveries WHERE space > ?1 ORDER BY space LIMIT 1")
        .bind(after.map_or("", SpaceId::as_str))
        .fetch_optional(reader)
        .await
        .map_err(fail)?;
    row.map(|row| SpaceId::new(get(&row, "space")?).map_err(damaged)).transpose()
}

async fn walk(reader: &mut SqliteConnection, from: &Place, wanted: &Wanted) -> PortResult<Vec<SqliteRow>> {
    sqlx::query(if from.parked { walk!("parked") } else { walk!("pending") })
        .bind(from.space.as_str())
        .bind(wanted.until.unix_ms())
        .bind(from.at.unix_ms())
        .bind(from.id.as_bytes().to_vec())
        .bind(i64::try_from(wanted.limit.max(1)).unwrap_or(i64::MAX))
        .fetch_all(reader)
        .await
        .map_err(fail)
}

/// Puts a row on the page, if it is due.
fn take(page: &mut OpenPage, wanted: &Wanted, row: &SqliteRow) -> PortResult<()> {
    let next_at = instant::maybe_at(row, "next_at").map_err(fail)?;
    let due = next_at.unwrap_or(instant::at(row, "updated_at").map_err(fail)?);
    if wanted.due_before.is_some_and(|before| due >= before) {
        return Ok(());
    }
    let inline: Option<&[u8]> = get(row, "content")?;
    let content = match (rows::body(row)?, inline) {
        (Some(body), _) => Some(Carriage::Stored(body)),
        (None, Some(bytes)) => {
            let content = Content::decode(bytes);
            let content = content.map_err(|error| undecodable("content of an event", &error))?;
            Some(Carriage::Inline(content.into()))
        }
        (None, None) => None,
    };
    page.items.push(OpenDelivery {
        event: rows::head(row)?,
        content,
        webhook: WebhookId::new(get(row, "webhook")?).map_err(damaged)?,
        generation: get(row, "generation")?,
        state: rows::state(get(row, "state")?)?,
        attempt: get(row, "attempt")?,
        next_at,
    });
    Ok(())
}

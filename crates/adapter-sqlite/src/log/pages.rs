//! Lists of calls and deliveries, page by page, along the ways of `walks.rs`. The rows of a page are read one
//! by one, so that a page of large calls is never in memory twice.

use postrider_domain::call::CallRecord;
use postrider_domain::id::SpaceId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Cursor, DeliveryRow, EXACT_TOTAL, LogQuery, Page};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows;
use super::statements::{CALLS, Walk, Walks};
use super::walks::{Place, of_deliveries};
use crate::database::Database;
use crate::fault::port_error;

/// A page has at most this many rows, whatever is asked for.
const PAGE_LIMIT: usize = 1000;
/// A page ends with the row that brings it to 32 MiB: a call may have 700 kB.
const PAGE_BYTES: usize = 32 * 1024 * 1024;
const WHAT: &str = "list the log";

/// How a row is read once its key is known, and what it is.
struct Reading<T> {
    row: &'static str,
    read: fn(&SqliteRow) -> PortResult<T>,
}

const A_CALL: Reading<CallRecord> =
    Reading { row: "SELECT record FROM calls WHERE seq = ?1", read: rows::call };
const A_DELIVERY: Reading<DeliveryRow> = Reading {
    row: "SELECT d.*, e.head FROM deliveries d \
          JOIN events e ON e.space = d.space AND e.id = d.event AND e.day = d.day WHERE d.seq = ?1",
    read: rows::delivery,
};

/// A page of calls.
pub(super) async fn calls(
    database: &Database,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<CallRecord>> {
    page(database, (&CALLS, A_CALL), space, query).await
}

/// A page of deliveries.
pub(super) async fn deliveries(
    database: &Database,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<DeliveryRow>> {
    page(database, (of_deliveries(query.order), A_DELIVERY), space, query).await
}

async fn page<T>(
    database: &Database,
    (walks, reading): (&Walks, Reading<T>),
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<T>> {
    let fail = |error| port_error(WHAT, error);
    let mut reader = database.reader(WHAT).await?;
    let (start, from) = (walks.start(query), walks.first(query));
    let asked = (space, query);
    let mut page = Page { items: Vec::new(), next: None, total: 0, at_least: false };
    let Some((walk, end)) = walks.best(&walks.serving(query), &mut reader, asked, from).await? else {
        return Ok(page);
    };
    let from_the_start = match query.cursor {
        Some(_) => walks.best(&[walk], &mut reader, asked, start).await?.and_then(|(_, end)| end),
        None => end.clone(),
    };
    let whole = (start, walks.bottom(from_the_start.as_ref()));
    page.total = total(&mut reader, (walks, walk), asked, whole).await.map_err(fail)?;
    page.at_least = from_the_start.is_some();
    let limit = query.limit.min(PAGE_LIMIT);
    // One key more than asked for tells whether another page follows.
    let keys = walks
        .bind_between(sqlx::query(walk.keys), asked, (from, walks.bottom(end.as_ref())))
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
        .bind(i64::try_from(query.skip).unwrap_or(i64::MAX))
        .fetch_all(&mut *reader)
        .await
        .map_err(fail)?;
    page.next = end;
    let mut last = None;
    let mut bytes = 0;
    for (index, key) in keys.iter().enumerate() {
        if index >= limit || bytes >= PAGE_BYTES {
            page.next = last;
            break;
        }
        let row = sqlx::query(reading.row)
            .bind(rows::get::<i64>(key, "seq")?)
            .fetch_optional(&mut *reader)
            .await
            .map_err(fail)?;
        // Retention may have removed it since.
        if let Some(row) = row {
            bytes += row.try_get::<&[u8], _>("record").map_or(0, <[u8]>::len);
            page.items.push((reading.read)(&row)?);
        }
        last = Some(Cursor {
            at: Timestamp::from_unix_ms(rows::get(key, "at")?),
            id: rows::uuid(rows::get(key, "id")?)?,
        });
    }
    Ok(page)
}

async fn total(
    reader: &mut SqliteConnection,
    (walks, walk): (&Walks, Walk),
    asked: (&SpaceId, &LogQuery),
    part: (Place, Place),
) -> Result<usize, sqlx::Error> {
    let counted = walks.bind_between(sqlx::query(walk.count), asked, part).fetch_one(reader).await?;
    Ok(usize::try_from(counted.try_get::<i64, _>(0)?).unwrap_or(EXACT_TOTAL).min(EXACT_TOTAL))
}

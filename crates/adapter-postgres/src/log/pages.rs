//! Lists of calls and deliveries, newest first, page by page.
//!
//! A statement names only what is asked for, so that each list walks the index of the narrowest thing. The keys of a page
//! are read first, with the sizes of its rows, and then the rows that fit: a page of large calls stays bounded.

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{EnvironmentId, EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Cursor, DeliveryRow, EXACT_TOTAL, LogQuery, Page};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder};

use super::rows;
use crate::database::Database;
use crate::fault::fail;
use crate::row;

/// A page has at most this many rows, whatever is asked for.
const PAGE_LIMIT: usize = 1000;
/// A page ends with the row that brings it to 32 MiB: a call may have 700 kB.
const PAGE_BYTES: usize = 32 * 1024 * 1024;
const WHAT: &str = "list the log";

/// What is listed, and how its rows are read.
struct List<T> {
    table: &'static str,
    /// By which instant.
    at: &'static str,
    /// The size of a row that is worth counting.
    size: &'static str,
    /// The rows of the keys ($1 days, $2 ids), in any order.
    rows: &'static str,
    read: fn(&PgRow) -> PortResult<T>,
}

const CALLS: List<CallRecord> = List {
    table: "calls",
    at: "started_at",
    size: "octet_length(record)::bigint",
    rows: "SELECT c.record, k.place FROM unnest($1::int[], $2::bytea[]) WITH ORDINALITY AS k(day, id, place) \
           JOIN calls c ON c.day = k.day AND c.id = k.id ORDER BY k.place",
    read: rows::call,
};
const DELIVERIES: List<DeliveryRow> = List {
    table: "deliveries",
    at: "updated_at",
    size: "0::bigint",
    rows: "SELECT d.*, e.head, k.place FROM unnest($1::int[], $2::bytea[]) WITH ORDINALITY AS k(day, id, place) \
           JOIN deliveries d ON d.day = k.day AND d.id = k.id \
           JOIN events e ON e.space = d.space AND e.id = d.event AND e.day = d.day ORDER BY k.place",
    read: rows::delivery,
};

/// A page of calls.
pub(super) async fn calls(
    database: &Database,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<CallRecord>> {
    page(database, &CALLS, space, query).await
}

/// A page of deliveries.
pub(super) async fn deliveries(
    database: &Database,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<DeliveryRow>> {
    page(database, &DELIVERIES, space, query).await
}

async fn page<T>(
    database: &Database,
    list: &List<T>,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<T>> {
    let total = total(database, list, space, query).await?;
    let limit = query.limit.min(PAGE_LIMIT);
    let keys = keys(database, list, (space, query), limit).await?;
    let mut page = Page { items: Vec::new(), next: None, total };
    let (mut days, mut ids): (Vec<i32>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
    let (mut last, mut bytes) = (None, 0);
    for (index, key) in keys.iter().enumerate() {
        if index >= limit || bytes >= PAGE_BYTES {
            page.next = last;
            break;
        }
        bytes += row::number::<usize>(key, "size")?;
        days.push(row::get(key, "day")?);
        ids.push(row::get(key, "id")?);
        last = Some(Cursor { at: row::at(key, "at")?, id: rows::uuid(row::get(key, "id")?)? });
    }
    if days.is_empty() {
        return Ok(page);
    }
    // Retention may have removed some since.
    let found =
        sqlx::query(list.rows).bind(days).bind(ids).fetch_all(database.pool()).await.map_err(fail(WHAT))?;
    page.items = found.iter().map(list.read).collect::<PortResult<_>>()?;
    Ok(page)
}

/// The keys of a page; one more than asked for tells whether another page follows.
async fn keys<T>(
    database: &Database,
    list: &List<T>,
    (space, query): (&SpaceId, &LogQuery),
    limit: usize,
) -> PortResult<Vec<PgRow>> {
    let List { at, size, .. } = list;
    let mut statement = QueryBuilder::new(format!("SELECT day, id, {at} AS at, {size} AS size"));
    narrow(&mut statement, list, space, query);
    if let Some(cursor) = &query.cursor {
        statement.push(format!(" AND ({at}, id) < (")).push_bind(cursor.at.unix_ms());
        statement.push(", ").push_bind(cursor.id.as_bytes().to_vec()).push(")");
    }
    statement.push(format!(" ORDER BY {at} DESC, id DESC LIMIT "));
    statement.push_bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
    statement.push(" OFFSET ").push_bind(i64::try_from(query.skip).unwrap_or(i64::MAX));
    statement.build().fetch_all(database.pool()).await.map_err(fail(WHAT))
}

async fn total<T>(
    database: &Database,
    list: &List<T>,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<usize> {
    let mut statement = QueryBuilder::new("SELECT COUNT(*) AS total FROM (SELECT 1");
    narrow(&mut statement, list, space, query);
    statement.push(format!(" LIMIT {EXACT_TOTAL}) counted"));
    let row = statement.build().fetch_one(database.pool()).await.map_err(fail(WHAT))?;
    row::number(&row, "total")
}

/// The rows that a query asks for, without its page.
fn narrow<T>(statement: &mut QueryBuilder<Postgres>, list: &List<T>, space: &SpaceId, query: &LogQuery) {
    statement.push(format!(" FROM {} WHERE space = ", list.table)).push_bind(space.as_str().to_owned());
    let equal = [
        ("webhook", query.webhook.as_ref().map(WebhookId::as_str)),
        ("environment", query.environment.as_ref().map(EnvironmentId::as_str)),
        ("event", query.event.as_ref().map(EventId::as_str)),
        ("type", query.event_type.as_deref()),
        ("action", query.action.as_deref()),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            statement.push(format!(" AND {column} = ")).push_bind(value.to_owned());
        }
    }
    if let Some(state) = query.state {
        // A word of ours, not a parameter: only so the planner sees that the index of the pending ones serves.
        statement.push(format!(" AND state = '{}'", DeliveryState::as_str(state)));
    }
    if let Some(from) = query.from.map(Timestamp::unix_ms) {
        statement.push(format!(" AND {} >= ", list.at)).push_bind(from);
    }
    if let Some(to) = query.to.map(Timestamp::unix_ms) {
        statement.push(format!(" AND {} < ", list.at)).push_bind(to);
    }
}

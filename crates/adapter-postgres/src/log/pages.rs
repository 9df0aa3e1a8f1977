//! Lists of calls and deliveries, page by page, along the ways of `walks.rs`.
//!
//! The keys of a page are read first, with the sizes of its rows, and then the rows that fit: a page of large calls stays
//! bounded.

use postrider_domain::call::CallRecord;
use postrider_domain::id::SpaceId;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Cursor, DeliveryRow, EXACT_TOTAL, LogQuery, Page};
use sqlx::QueryBuilder;
use sqlx::postgres::PgRow;

use super::rows;
use super::walks::{Table, Walk, way};
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
    table: Table,
    /// The size of the row `k`, where it is worth counting.
    size: &'static str,
    /// The rows of the keys ($1 days, $2 ids), in any order.
    rows: &'static str,
    read: fn(&PgRow) -> PortResult<T>,
}

const CALLS: List<CallRecord> = List {
    table: Table { name: "calls", at: "started_at", is_by_day: true },
    size: "(SELECT octet_length(c.record)::bigint FROM calls c WHERE c.day = k.day AND c.id = k.id)",
    rows: "SELECT c.record, k.place FROM unnest($1::int[], $2::bytea[]) WITH ORDINALITY AS k(day, id, place) \
           JOIN calls c ON c.day = k.day AND c.id = k.id ORDER BY k.place",
    read: rows::call,
};
/// The deliveries in this order.
fn deliveries_by(table: Table) -> List<DeliveryRow> {
    List { table, size: "0::bigint", rows: DELIVERY_ROWS, read: rows::delivery }
}

const DELIVERY_ROWS: &str = "SELECT d.*, e.head, k.place FROM unnest($1::int[], $2::bytea[]) WITH ORDINALITY AS k(day, id, place) \
     JOIN deliveries d ON d.day = k.day AND d.id = k.id \
     JOIN events e ON e.space = d.space AND e.id = d.event AND e.day = d.day ORDER BY k.place";

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
    page(database, &deliveries_by(Table::of_deliveries(query.order)), space, query).await
}

async fn page<T>(
    database: &Database,
    list: &List<T>,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<T>> {
    let cursor = query.cursor.as_ref();
    let (walk, end) = Walk::best(database, list.table, (space, query), &Walk::all(query), cursor).await?;
    let from_the_start = match cursor {
        Some(_) => Walk::best(database, list.table, (space, query), &[walk], None).await?.1,
        None => end.clone(),
    };
    let total = total(database, list, (space, query), (walk, from_the_start.as_ref())).await?;
    let limit = query.limit.min(PAGE_LIMIT);
    let keys = keys(database, list, (space, query), (walk, end.as_ref()), limit).await?;
    let mut page = Page { items: Vec::new(), next: end, total, at_least: from_the_start.is_some() };
    let (mut days, mut ids): (Vec<i32>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
    let (mut last, mut bytes) = (None, 0);
    for (index, key) in keys.iter().enumerate() {
        if index >= limit || bytes >= PAGE_BYTES {
            page.next = last;
            break;
        }
        // Retention may have removed it since.
        bytes +=
            row::get::<Option<i64>>(key, "size")?.and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        days.push(row::get(key, "day")?);
        ids.push(row::get(key, "id")?);
        last = Some(Cursor { at: row::at(key, "at")?, id: rows::uuid(row::get(key, "id")?)? });
    }
    if days.is_empty() {
        return Ok(page);
    }
    let found =
        sqlx::query(list.rows).bind(days).bind(ids).fetch_all(database.pool()).await.map_err(fail(WHAT))?;
    page.items = found.iter().map(list.read).collect::<PortResult<_>>()?;
    Ok(page)
}

/// The keys of a page; one more than asked for tells whether another page follows. What is skipped is not read.
async fn keys<T>(
    database: &Database,
    list: &List<T>,
    (space, query): (&SpaceId, &LogQuery),
    (walk, end): (Walk, Option<&Cursor>),
    limit: usize,
) -> PortResult<Vec<PgRow>> {
    let at = list.table.at;
    let mut statement =
        QueryBuilder::new(format!("SELECT k.*, {} AS size FROM (SELECT day, id, {at} AS at", list.size));
    walk.narrow(&mut statement, list.table, (space, query), (query.cursor.as_ref(), end));
    let (limit, skip) = (limit + 1, query.skip);
    statement.push(format!(
        "{} LIMIT {limit} OFFSET {skip}) k ORDER BY k.at {way}, k.id {way}",
        Walk::order(list.table, query),
        way = way(query)
    ));
    statement.build().fetch_all(database.pool()).await.map_err(fail(WHAT))
}

/// How many there are, from the first on: in order, so that the planner takes the index of the way.
async fn total<T>(
    database: &Database,
    list: &List<T>,
    (space, query): (&SpaceId, &LogQuery),
    (walk, end): (Walk, Option<&Cursor>),
) -> PortResult<usize> {
    let mut statement = QueryBuilder::new("SELECT COUNT(*) AS total FROM (SELECT 1");
    walk.narrow(&mut statement, list.table, (space, query), (None, end));
    statement.push(format!("{} LIMIT {EXACT_TOTAL}) counted", Walk::order(list.table, query)));
    let row = statement.build().fetch_one(database.pool()).await.map_err(fail(WHAT))?;
    row::number(&row, "total")
}

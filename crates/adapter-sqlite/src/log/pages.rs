//! Lists of calls and deliveries, newest first, page by page.
//!
//! Every list is one of a few fixed statements, chosen by the narrowest thing that is asked for, so that each walks one
//! index from its newest end, and reads only the rows it returns, one by one, so that a page of
//! large calls is never in memory twice. What is not asked for is bound as NULL.

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{EnvironmentId, EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Cursor, DeliveryRow, EXACT_TOTAL, LogQuery, Page};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::rows;
use crate::database::Database;
use crate::fault::port_error;

/// A page has at most this many rows, whatever is asked for.
const PAGE_LIMIT: usize = 1000;
/// A page ends with the row that brings it to 32 MiB: a call may have 700 kB.
const PAGE_BYTES: usize = 32 * 1024 * 1024;

/// A table walked along one index. ?1 space, ?2 event, ?3 webhook, ?4 from, (?5, ?6) the first row that is too new,
/// ?7 environment, ?8 type, ?9 action, ?10 state.
macro_rules! walk {
    ($table:literal, $index:literal, $at:literal, $along:literal) => {
        concat!(
            "FROM ",
            $table,
            " INDEXED BY ",
            $index,
            " WHERE space = ?1 AND ",
            $along,
            " AND ",
            $at,
            " >= ?4 AND (",
            $at,
            ", id) < (?5, ?6)",
            " AND (?7 IS NULL OR environment = ?7) AND (?8 IS NULL OR type = ?8)",
            " AND (?9 IS NULL OR action = ?9) AND (?10 IS NULL OR state = ?10)"
        )
    };
}

/// The two statements of a list: its total, and the keys of a page (?11 rows, leaving out ?12).
macro_rules! list {
    ($table:literal, $index:literal, $at:literal, $along:literal) => {
        List {
            // 10000 is EXACT_TOTAL.
            count: concat!(
                "SELECT COUNT(*) FROM (SELECT 1 ",
                walk!($table, $index, $at, $along),
                " LIMIT 10000)"
            ),
            keys: concat!(
                "SELECT seq, ",
                $at,
                " AS at, id ",
                walk!($table, $index, $at, $along),
                " ORDER BY ",
                $at,
                " DESC, id DESC LIMIT ?11 OFFSET ?12"
            ),
        }
    };
}

macro_rules! calls {
    ($index:literal, $along:literal) => {
        list!("calls", $index, "started_at", $along)
    };
}

macro_rules! deliveries {
    ($index:literal, $along:literal) => {
        list!("deliveries", $index, "updated_at", $along)
    };
}

struct List {
    count: &'static str,
    keys: &'static str,
}

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

const CALLS_OF_EVENT: List = calls!("calls_by_event", "event = ?2 AND (?3 IS NULL OR webhook = ?3)");
const CALLS_OF_WEBHOOK: List = calls!("calls_by_webhook", "?2 IS NULL AND webhook = ?3");
const CALLS: List = calls!("calls_by_time", "?2 IS NULL AND ?3 IS NULL");

const DELIVERIES_OF_EVENT: List =
    deliveries!("deliveries_by_event", "event = ?2 AND (?3 IS NULL OR webhook = ?3)");
const DELIVERIES_OF_WEBHOOK: List = deliveries!("deliveries_by_webhook", "?2 IS NULL AND webhook = ?3");
const DELIVERIES_IN_STATE: List =
    deliveries!("deliveries_by_state", "?2 IS NULL AND ?3 IS NULL AND state = ?10");
const DELIVERIES: List = deliveries!("deliveries_by_time", "?2 IS NULL AND ?3 IS NULL");

/// A page of calls.
pub(super) async fn calls(
    database: &Database,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<CallRecord>> {
    let list = match (&query.event, &query.webhook) {
        (Some(_), _) => &CALLS_OF_EVENT,
        (None, Some(_)) => &CALLS_OF_WEBHOOK,
        (None, None) => &CALLS,
    };
    page(database, (list, A_CALL), space, query).await
}

/// A page of deliveries.
pub(super) async fn deliveries(
    database: &Database,
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<DeliveryRow>> {
    let list = match (&query.event, &query.webhook, query.state) {
        (Some(_), _, _) => &DELIVERIES_OF_EVENT,
        (None, Some(_), _) => &DELIVERIES_OF_WEBHOOK,
        (None, None, Some(_)) => &DELIVERIES_IN_STATE,
        (None, None, None) => &DELIVERIES,
    };
    page(database, (list, A_DELIVERY), space, query).await
}

async fn page<T>(
    database: &Database,
    (list, reading): (&List, Reading<T>),
    space: &SpaceId,
    query: &LogQuery,
) -> PortResult<Page<T>> {
    let fail = |error| port_error("list the log", error);
    let mut reader = database.reader("list the log").await?;
    let total = total(&mut reader, list, space, query).await.map_err(fail)?;
    let limit = query.limit.min(PAGE_LIMIT);
    // One key more than asked for tells whether another page follows.
    let keys = bind(sqlx::query(list.keys), space, query, before(query))
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
        .bind(i64::try_from(query.skip).unwrap_or(i64::MAX))
        .fetch_all(&mut *reader)
        .await
        .map_err(fail)?;
    let mut page = Page { items: Vec::new(), next: None, total };
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
    list: &List,
    space: &SpaceId,
    query: &LogQuery,
) -> Result<usize, sqlx::Error> {
    let row = bind(sqlx::query(list.count), space, query, end(query)).fetch_one(reader).await?;
    let counted = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(EXACT_TOTAL);
    Ok(counted.min(EXACT_TOTAL))
}

/// The first place that is too new for the query: `to` itself, as no id is smaller than the nil one.
fn end(query: &LogQuery) -> (Timestamp, Uuid) {
    query.to.map_or((Timestamp::from_unix_ms(i64::MAX), Uuid::max()), |to| (to, Uuid::nil()))
}

/// The same for a page of it.
fn before(query: &LogQuery) -> (Timestamp, Uuid) {
    let end = end(query);
    query.cursor.as_ref().map_or(end, |cursor| end.min((cursor.at, cursor.id)))
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

fn bind<'q>(statement: Query<'q>, space: &SpaceId, query: &LogQuery, before: (Timestamp, Uuid)) -> Query<'q> {
    let text = |text: &str| text.to_owned();
    statement
        .bind(text(space.as_str()))
        .bind(query.event.as_ref().map(EventId::as_str).map(text))
        .bind(query.webhook.as_ref().map(WebhookId::as_str).map(text))
        .bind(query.from.map_or(i64::MIN, Timestamp::unix_ms))
        .bind(before.0.unix_ms())
        .bind(before.1.as_bytes().to_vec())
        .bind(query.environment.as_ref().map(EnvironmentId::as_str).map(text))
        .bind(query.event_type.clone())
        .bind(query.action.clone())
        .bind(query.state.map(DeliveryState::as_str).map(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Settings;
    use postrider_testkit::ManualClock;
    use postrider_testkit::builders::space;
    use std::sync::Arc;

    #[tokio::test]
    async fn every_list_walks_its_index_in_order_and_sorts_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::new());
        let (database, driver) = Database::open(&Settings::new(dir.path()), clock).await.expect("opens");
        let mut reader = database.reader("explain").await.expect("a reader");
        for (list, index) in [
            (CALLS, "calls_by_time"),
            (CALLS_OF_WEBHOOK, "calls_by_webhook"),
            (DELIVERIES, "deliveries_by_time"),
            (DELIVERIES_OF_WEBHOOK, "deliveries_by_webhook"),
            (DELIVERIES_IN_STATE, "deliveries_by_state"),
        ] {
            for statement in [list.keys, list.count] {
                let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                let query = LogQuery::default();
                let plan: Vec<String> = bind(sqlx::query(explained), &space("s"), &query, before(&query))
                    .fetch_all(&mut *reader)
                    .await
                    .expect("explained")
                    .iter()
                    .map(|row| row.get("detail"))
                    .collect();
                let plan = plan.join("; ");
                assert!(plan.contains(index), "{plan}");
                assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN calls"), "{plan}");
            }
        }
        drop(driver);
    }
}

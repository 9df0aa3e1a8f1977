//! Along which index a list goes: the rows that share a value, newest first.
//!
//! Where the index answers everything that is asked for, the list is exact. Where rows must be left out on the way, a page
//! and a total look at no more than `LOOKED_AT` rows, so that the rarest combination is answered as fast as any other:
//! the page may then be short, or empty, and the next one goes on where it stopped. Of several indexes the one is taken
//! whose first rows reach furthest back.
//!
//! Every walk is a few fixed statements. What is not asked for is bound as NULL.

use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{EnvironmentId, EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Cursor, LogQuery};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};
use uuid::Uuid;

use super::rows;
use crate::fault::port_error;

/// The statements of one way through a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    /// The last of the rows that are looked at.
    end: &'static str,
    /// How many of them were asked for.
    pub(super) count: &'static str,
    /// The keys of a page (?13 rows, leaving out ?14).
    pub(super) keys: &'static str,
    /// Whether every row on the way is one that was asked for.
    pub(super) is_exact: bool,
}

/// An instant and an id: a place in a list.
pub(super) type Place = (Timestamp, Uuid);

/// A table walked along one index. ?1 space, ?2 event, ?3 webhook, ?4 environment, ?5 type, ?6 action, ?7 state, ?8 from,
/// (?9, ?10) the first row that is too new.
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
            " >= ?8 AND (",
            $at,
            ", id) < (?9, ?10)"
        )
    };
}

/// The same without what was not asked for, and not before (?11, ?12).
macro_rules! found {
    ($table:literal, $index:literal, $at:literal, $along:literal) => {
        concat!(
            walk!($table, $index, $at, $along),
            " AND (",
            $at,
            ", id) >= (?11, ?12)",
            " AND (?2 IS NULL OR event = ?2) AND (?3 IS NULL OR webhook = ?3)",
            " AND (?4 IS NULL OR environment = ?4) AND (?5 IS NULL OR type = ?5)",
            " AND (?6 IS NULL OR action = ?6) AND (?7 IS NULL OR state = ?7)"
        )
    };
}

macro_rules! statements {
    ($table:literal, $index:literal, $at:literal, $along:literal) => {
        Walk {
            // 9999 is LOOKED_AT - 1, 10000 is EXACT_TOTAL. The counted ones need no order, but their way is one.
            end: concat!(
                "SELECT ", $at, " AS at, id ", walk!($table, $index, $at, $along),
                " ORDER BY ", $at, " DESC, id DESC LIMIT 1 OFFSET 9999"
            ),
            count: concat!(
                "SELECT COUNT(*) FROM (SELECT 1 ", found!($table, $index, $at, $along), " LIMIT 10000)"
            ),
            keys: concat!(
                "SELECT seq, ", $at, " AS at, id ", found!($table, $index, $at, $along),
                " ORDER BY ", $at, " DESC, id DESC LIMIT ?13 OFFSET ?14"
            ),
            is_exact: false,
        }
    };
}

/// The ways through a table.
#[derive(Debug)]
pub(super) struct Walks {
    of_event: Walk,
    of_webhook: Walk,
    in_state: Walk,
    of_type: Walk,
    of_action: Walk,
    in_environment: Walk,
    all: Walk,
}

// The conditions are those of the indexes in `0006_log_lists.sql`, word for word.
macro_rules! walks {
    ($table:literal, $at:literal, $event:literal, $webhook:literal, $state:literal, $type:literal, $action:literal,
     $environment:literal, $time:literal) => {
        Walks {
            of_event: statements!($table, $event, $at, "event = ?2"),
            of_webhook: statements!($table, $webhook, $at, "webhook = ?3"),
            in_state: statements!($table, $state, $at, "state = ?7 AND state <> 'delivered'"),
            of_type: statements!($table, $type, $at, "type = ?5 AND type <> 'Entry'"),
            of_action: statements!(
                $table,
                $action,
                $at,
                "action = ?6 AND action NOT IN ('publish', 'save', 'auto_save')"
            ),
            in_environment: statements!(
                $table,
                $environment,
                $at,
                "environment = ?4 AND environment <> 'master'"
            ),
            all: statements!($table, $time, $at, "1"),
        }
    };
}

pub(super) const CALLS: Walks = walks!(
    "calls",
    "started_at",
    "calls_by_event",
    "calls_by_webhook",
    "calls_by_state",
    "calls_by_type",
    "calls_by_action",
    "calls_by_environment",
    "calls_by_time"
);
pub(super) const DELIVERIES: Walks = walks!(
    "deliveries",
    "updated_at",
    "deliveries_by_event",
    "deliveries_by_webhook",
    "deliveries_by_state",
    "deliveries_by_type",
    "deliveries_by_action",
    "deliveries_by_environment",
    "deliveries_by_time"
);

impl Walks {
    /// The ways that serve a query, at least one.
    pub(super) fn serving(&self, query: &LogQuery) -> Vec<Walk> {
        // An event has few calls and deliveries; they are all looked at.
        if query.event.is_some() {
            return vec![Walk { is_exact: true, ..self.of_event }];
        }
        let text = |value: &Option<String>, common: &[&str]| {
            value.as_ref().map(|value| !common.contains(&value.as_str()))
        };
        // Each value that is asked for, and whether its index has the rows of it.
        let asked = [
            (query.state.map(|state| state != DeliveryState::Delivered), self.in_state),
            (text(&query.action, &["publish", "save", "auto_save"]), self.of_action),
            (text(&query.event_type, &["Entry"]), self.of_type),
            (query.environment.as_ref().map(|id| id.as_str() != "master"), self.in_environment),
            (query.webhook.as_ref().map(|_| true), self.of_webhook),
        ];
        let is_exact = asked.iter().filter(|(asked, _)| asked.is_some()).count() <= 1;
        let walks = asked.into_iter().filter(|(asked, _)| *asked == Some(true));
        let walks: Vec<Walk> = walks.map(|(_, walk)| Walk { is_exact, ..walk }).collect();
        if !walks.is_empty() {
            return walks;
        }
        let is_exact = asked.iter().all(|(asked, _)| asked.is_none());
        vec![Walk { is_exact, ..self.all }]
    }
}

impl Walk {
    /// The way of these that is best from a place on, and where it must end.
    pub(super) async fn best(
        walks: &[Self],
        reader: &mut SqliteConnection,
        (space, query): (&SpaceId, &LogQuery),
        from: Place,
    ) -> PortResult<Option<(Self, Option<Cursor>)>> {
        let mut best: Option<(Self, Option<Cursor>)> = None;
        for walk in walks {
            let end = if walk.is_exact { None } else { walk.end(reader, (space, query), from).await? };
            let is_better = best.as_ref().is_none_or(|(_, reached)| match (reached, &end) {
                (Some(reached), Some(end)) => (end.at, end.id) < (reached.at, reached.id),
                (reached, _) => reached.is_some(),
            });
            let is_complete = end.is_none();
            if is_better {
                best = Some((*walk, end));
            }
            if is_complete {
                break;
            }
        }
        Ok(best)
    }

    /// The last of `LOOKED_AT` rows from a place on; `None` if there are fewer.
    async fn end(
        &self,
        reader: &mut SqliteConnection,
        (space, query): (&SpaceId, &LogQuery),
        from: Place,
    ) -> PortResult<Option<Cursor>> {
        let last = bind(sqlx::query(self.end), space, query, from).fetch_optional(reader).await;
        let last = last.map_err(|error| port_error("list the log", error))?;
        last.map(|last| {
            let (at, id) = (rows::get(&last, "at")?, rows::uuid(rows::get(&last, "id")?)?);
            Ok(Cursor { at: Timestamp::from_unix_ms(at), id })
        })
        .transpose()
    }
}

/// The first place that is too new for a query: `to` itself, as no id is smaller than the nil one.
pub(super) fn top(query: &LogQuery) -> Place {
    query.to.map_or((Timestamp::from_unix_ms(i64::MAX), Uuid::max()), |to| (to, Uuid::nil()))
}

/// The place where a page ends whose way has no end.
pub(super) fn bottom(end: Option<&Cursor>) -> Place {
    end.map_or((Timestamp::from_unix_ms(i64::MIN), Uuid::nil()), |end| (end.at, end.id))
}

pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Binds ?1 to ?12: the rows before `from` that are not before `until`.
pub(super) fn bind_between<'q>(
    statement: Query<'q>,
    (space, query): (&SpaceId, &LogQuery),
    (from, until): (Place, Place),
) -> Query<'q> {
    // Only one lower bound is looked up in the index: the later one.
    let since = query.from.map_or(until.0, |since| since.max(until.0));
    let query = LogQuery { from: Some(since), ..query.clone() };
    bind(statement, space, &query, from).bind(until.0.unix_ms()).bind(until.1.as_bytes().to_vec())
}

/// Binds ?1 to ?10: the rows before `from`.
fn bind<'q>(statement: Query<'q>, space: &SpaceId, query: &LogQuery, from: Place) -> Query<'q> {
    let text = |text: &str| text.to_owned();
    statement
        .bind(text(space.as_str()))
        .bind(query.event.as_ref().map(EventId::as_str).map(text))
        .bind(query.webhook.as_ref().map(WebhookId::as_str).map(text))
        .bind(query.environment.as_ref().map(EnvironmentId::as_str).map(text))
        .bind(query.event_type.clone())
        .bind(query.action.clone())
        .bind(query.state.map(DeliveryState::as_str).map(text))
        .bind(query.from.map_or(i64::MIN, Timestamp::unix_ms))
        .bind(from.0.unix_ms())
        .bind(from.1.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Database, Settings};
    use postrider_testkit::ManualClock;
    use postrider_testkit::builders::space;
    use sqlx::Row;
    use std::sync::Arc;

    #[test]
    fn ends_and_totals_are_as_far_as_promised() {
        let far = |text: &str, number: usize| text.contains(&number.to_string());
        assert!(far(CALLS.all.end, postrider_ports::log::LOOKED_AT - 1));
        assert!(far(CALLS.all.count, postrider_ports::log::EXACT_TOTAL));
    }

    #[tokio::test]
    async fn every_list_walks_its_index_in_order_and_sorts_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::new());
        let (database, driver) = Database::open(&Settings::new(dir.path()), clock).await.expect("opens");
        let mut reader = database.reader("explain").await.expect("a reader");
        let of = |table: &str, walks: &Walks| {
            [
                ("webhook", walks.of_webhook),
                ("state", walks.in_state),
                ("type", walks.of_type),
                ("action", walks.of_action),
                ("environment", walks.in_environment),
                ("time", walks.all),
            ]
            .map(|(by, walk)| (format!("{table}_by_{by}"), walk))
        };
        for (index, walk) in of("calls", &CALLS).into_iter().chain(of("deliveries", &DELIVERIES)) {
            for statement in [walk.keys, walk.count, walk.end] {
                let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                let query = LogQuery::default();
                let plan: Vec<String> = bind(sqlx::query(explained), &space("s"), &query, top(&query))
                    .fetch_all(&mut *reader)
                    .await
                    .expect("explained")
                    .iter()
                    .map(|row| row.get("detail"))
                    .collect();
                let plan = plan.join("; ");
                assert!(plan.contains(&index), "{plan}");
                assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN calls"), "{plan}");
            }
        }
        drop(driver);
    }
}

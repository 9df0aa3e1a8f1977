//! Along which index a list goes: the rows that share a value, newest first or oldest first; or the deliveries that have a next
//! attempt, by its instant.
//!
//! Where the index answers everything that is asked for, the list is exact. Where rows must be left out on the way, a page
//! and a total look at no more than `LOOKED_AT` rows, so that the rarest combination is answered as fast as any other:
//! the page may then be short, or empty, and the next one goes on where it stopped. Of several indexes the one is taken
//! whose first rows reach furthest back.

use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{EnvironmentId, EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Cursor, LogQuery, Order};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};
use uuid::Uuid;

use super::rows;
use super::statements::{self, Walk, Walks};
use crate::fault::port_error;

/// An instant and an id: a place in a list.
pub(super) type Place = (Timestamp, Uuid);

/// The ways through the deliveries in this order.
pub(super) fn of_deliveries(order: Order) -> &'static Walks {
    match order {
        Order::Newest => &statements::DELIVERIES,
        Order::Oldest => &statements::DELIVERIES_OLDEST,
        Order::Soonest => &statements::DELIVERIES_SOONEST,
        Order::Latest => &statements::DELIVERIES_LATEST,
    }
}

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
        let narrowed = query.tried.is_some() || query.order.is_by_next_attempt() && has_window(query);
        // Each value that is asked for, and whether its index has the rows of it.
        let asked = [
            query.state.map(|state| state != DeliveryState::Delivered),
            text(&query.action, &["publish", "save", "auto_save"]),
            text(&query.event_type, &["Entry"]),
            query.environment.as_ref().map(|id| id.as_str() != "master"),
            query.webhook.as_ref().map(|_| true),
        ];
        let count = asked.iter().flatten().count();
        if let Some(of) = &self.of_values {
            let ways = [of.state, of.action, of.event_type, of.environment, of.webhook];
            let ways = asked.iter().zip(ways).filter(|(asked, _)| **asked == Some(true));
            let is_exact = count == 1 && !narrowed;
            let ways: Vec<Walk> = ways.map(|(_, walk)| Walk { is_exact, ..walk }).collect();
            if !ways.is_empty() {
                return ways;
            }
        }
        vec![Walk { is_exact: count == 0 && !narrowed, ..self.all }]
    }

    /// The row before the first of a query: `from` and `to` themselves, as no id is smaller than the nil one.
    pub(super) fn start(&self, query: &LogQuery) -> Place {
        let (from, to) = window(query);
        if self.is_ascending {
            from.map_or((Timestamp::from_unix_ms(i64::MIN), Uuid::nil()), |from| (from, Uuid::nil()))
        } else {
            to.map_or((Timestamp::from_unix_ms(i64::MAX), Uuid::max()), |to| (to, Uuid::nil()))
        }
    }

    /// Where a page begins.
    pub(super) fn first(&self, query: &LogQuery) -> Place {
        let start = self.start(query);
        let place = query.cursor.as_ref().map_or(start, |cursor| (cursor.at, cursor.id));
        if self.is_ascending { start.max(place) } else { start.min(place) }
    }

    /// The place where a page ends whose way ends there, or has no end.
    pub(super) fn bottom(&self, end: Option<&Cursor>) -> Place {
        match (end, self.is_ascending) {
            (Some(end), _) => (end.at, end.id),
            (None, true) => (Timestamp::from_unix_ms(i64::MAX), Uuid::max()),
            (None, false) => (Timestamp::from_unix_ms(i64::MIN), Uuid::nil()),
        }
    }

    /// The way of these that is best from a place on, and where it must end.
    pub(super) async fn best(
        &self,
        ways: &[Walk],
        reader: &mut SqliteConnection,
        asked: (&SpaceId, &LogQuery),
        from: Place,
    ) -> PortResult<Option<(Walk, Option<Cursor>)>> {
        let mut best: Option<(Walk, Option<Cursor>)> = None;
        for walk in ways {
            let end = if walk.is_exact { None } else { self.end(walk, reader, asked, from).await? };
            let is_better = best.as_ref().is_none_or(|(_, reached)| match (reached, &end) {
                (Some(reached), Some(end)) if self.is_ascending => {
                    (end.at, end.id) > (reached.at, reached.id)
                }
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
        walk: &Walk,
        reader: &mut SqliteConnection,
        (space, query): (&SpaceId, &LogQuery),
        from: Place,
    ) -> PortResult<Option<Cursor>> {
        let until = self.bound(query, None);
        let last = bind(sqlx::query(walk.end), (space, query), until, from).fetch_optional(reader).await;
        let last = last.map_err(|error| port_error("list the log", error))?;
        last.map(|last| {
            let (at, id) = (rows::get(&last, "at")?, rows::uuid(rows::get(&last, "id")?)?);
            Ok(Cursor { at: Timestamp::from_unix_ms(at), id })
        })
        .transpose()
    }

    /// Binds ?1 to ?15: the rows after `from` that are not after `until`.
    pub(super) fn bind_between<'q>(
        &self,
        statement: Query<'q>,
        (space, query): (&SpaceId, &LogQuery),
        (from, until): (Place, Place),
    ) -> Query<'q> {
        let bound = self.bound(query, Some(until.0));
        let changed = if query.order.is_by_next_attempt() { (query.from, query.to) } else { (None, None) };
        bind(statement, (space, query), bound, from)
            .bind(until.0.unix_ms())
            .bind(until.1.as_bytes().to_vec())
            .bind(query.tried)
            .bind(changed.0.map(Timestamp::unix_ms))
            .bind(changed.1.map(Timestamp::unix_ms))
    }

    /// ?8. Only one bound on the far side is looked up in the index: the nearer one.
    fn bound(&self, query: &LogQuery, until: Option<Timestamp>) -> i64 {
        let (from, to) = window(query);
        if self.is_ascending {
            let until = until.map_or(i64::MAX, |until| until.unix_ms().saturating_add(1));
            to.map_or(until, |to| to.unix_ms().min(until))
        } else {
            let until = until.map_or(i64::MIN, Timestamp::unix_ms);
            from.map_or(until, |from| from.unix_ms().max(until))
        }
    }
}

/// The window of the instants that the list is in order by.
fn window(query: &LogQuery) -> (Option<Timestamp>, Option<Timestamp>) {
    if query.order.is_by_next_attempt() { (query.next_from, query.next_to) } else { (query.from, query.to) }
}

/// Whether a window of the last change is asked for.
fn has_window(query: &LogQuery) -> bool {
    query.from.is_some() || query.to.is_some()
}

pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Binds ?1 to ?10: the rows after `from`, as far as ?8 says.
fn bind<'q>(
    statement: Query<'q>,
    (space, query): (&SpaceId, &LogQuery),
    bound: i64,
    from: Place,
) -> Query<'q> {
    let text = |text: &str| text.to_owned();
    statement
        .bind(text(space.as_str()))
        .bind(query.event.as_ref().map(EventId::as_str).map(text))
        .bind(query.webhook.as_ref().map(WebhookId::as_str).map(text))
        .bind(query.environment.as_ref().map(EnvironmentId::as_str).map(text))
        .bind(query.event_type.clone())
        .bind(query.action.clone())
        .bind(query.state.map(DeliveryState::as_str).map(text))
        .bind(bound)
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
    use statements::{CALLS, DELIVERIES, DELIVERIES_LATEST, DELIVERIES_OLDEST, DELIVERIES_SOONEST};
    use std::sync::Arc;

    #[test]
    fn ends_and_totals_are_as_far_as_promised() {
        let far = |text: &str, number: usize| text.contains(&number.to_string());
        assert!(far(CALLS.all.end, postrider_ports::log::LOOKED_AT - 1));
        assert!(far(CALLS.all.count, postrider_ports::log::EXACT_TOTAL));
    }

    #[test]
    fn the_ways_up_go_up_and_the_ways_down_down() {
        for order in [Order::Newest, Order::Oldest, Order::Soonest, Order::Latest] {
            assert_eq!(of_deliveries(order).is_ascending, order.is_ascending(), "{order:?}");
        }
    }

    /// The ways of a table in one order, each with its index.
    fn ways(table: &str, walks: &Walks) -> Vec<(String, Walk)> {
        let Some(of) = &walks.of_values else { return vec![(format!("{table}_by_next"), walks.all)] };
        [
            ("webhook", of.webhook),
            ("state", of.state),
            ("type", of.event_type),
            ("action", of.action),
            ("environment", of.environment),
            ("time", walks.all),
        ]
        .map(|(by, walk)| (format!("{table}_by_{by}"), walk))
        .into()
    }

    #[tokio::test]
    async fn every_list_walks_its_index_in_order_and_sorts_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::new());
        let (database, driver) = Database::open(&Settings::new(dir.path()), clock).await.expect("opens");
        let mut reader = database.reader("explain").await.expect("a reader");
        let deliveries = [&DELIVERIES, &DELIVERIES_OLDEST, &DELIVERIES_SOONEST, &DELIVERIES_LATEST];
        let deliveries = deliveries.map(|walks| ("deliveries", walks));
        for (table, walks) in [("calls", &CALLS)].into_iter().chain(deliveries) {
            for (index, walk) in ways(table, walks) {
                for statement in [walk.keys, walk.count, walk.end] {
                    let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                    let query = LogQuery::default();
                    let places = (walks.start(&query), walks.bottom(None));
                    let plan: Vec<String> = walks
                        .bind_between(sqlx::query(explained), (&space("s"), &query), places)
                        .fetch_all(&mut *reader)
                        .await
                        .expect("explained")
                        .iter()
                        .map(|row| row.get("detail"))
                        .collect();
                    let plan = plan.join("; ");
                    assert!(plan.contains(&index), "{plan}");
                    assert!(
                        !plan.contains("TEMP B-TREE") && !plan.contains(&format!("SCAN {table}")),
                        "{plan}"
                    );
                }
            }
        }
        drop(driver);
    }
}

//! Along which index a list goes: the rows that share a value, newest first or oldest first; or the deliveries that have a next
//! attempt, by its instant.
//!
//! Where the index answers everything that is asked for, the list is exact. Where rows must be left out on the way, a page
//! and a total look at no more than [`LOOKED_AT`] rows, so that the rarest combination is answered as fast as any other:
//! the page may then be short, or empty, and the next one goes on where it stopped. Of several indexes the one is taken
//! whose first rows reach furthest back.

use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{EnvironmentId, EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Cursor, LOOKED_AT, LogQuery, Order};
use sqlx::{Postgres, QueryBuilder};

use super::rows;
use crate::database::Database;
use crate::fault::fail;
use crate::row;

/// The table of a list, and by which instant it is in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) at: &'static str,
    /// Whether the day of a row is the day of that instant, give or take one.
    pub(super) is_by_day: bool,
}

impl Table {
    /// The deliveries in this order.
    pub(super) fn of_deliveries(order: Order) -> Self {
        let at = if order.is_by_next_attempt() { "next_at" } else { "updated_at" };
        Self { name: "deliveries", at, is_by_day: false }
    }
}

/// The values that a query narrows a list by. The conditions are those of the indexes in `0004_log_lists.sql`, word for
/// word: the planner compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Webhook,
    Environment,
    Type,
    Action,
    State,
}

/// One way through a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walk {
    /// Whose rows; `None` for all of the space.
    column: Option<Column>,
    /// Whether every row on the way is one that was asked for.
    pub(super) is_exact: bool,
}

impl Column {
    const ALL: [Self; 5] = [Self::State, Self::Action, Self::Type, Self::Environment, Self::Webhook];

    fn value(self, query: &LogQuery) -> Option<&str> {
        match self {
            Self::Webhook => query.webhook.as_ref().map(WebhookId::as_str),
            Self::Environment => query.environment.as_ref().map(EnvironmentId::as_str),
            Self::Type => query.event_type.as_deref(),
            Self::Action => query.action.as_deref(),
            Self::State => query.state.map(DeliveryState::as_str),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Environment => "environment",
            Self::Type => "type",
            Self::Action => "action",
            Self::State => "state",
        }
    }

    /// Whether its index has the rows of this value.
    fn has(self, value: &str) -> bool {
        match self {
            Self::Webhook => true,
            Self::Environment => value != "master",
            Self::Type => value != "Entry",
            Self::Action => !matches!(value, "publish" | "save" | "auto_save"),
            Self::State => value != "delivered",
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Webhook => "",
            Self::Environment => " AND environment <> 'master'",
            Self::Type => " AND type <> 'Entry'",
            Self::Action => " AND action NOT IN ('publish', 'save', 'auto_save')",
            Self::State => " AND state <> 'delivered'",
        }
    }
}

impl Walk {
    /// The ways that serve a query, at least one.
    pub(super) fn all(query: &LogQuery) -> Vec<Self> {
        let asked = Column::ALL.into_iter().filter_map(|column| Some((column, column.value(query)?)));
        let asked: Vec<(Column, &str)> = asked.collect();
        // An event has few calls and deliveries; they are all looked at.
        if query.event.is_some() || asked.is_empty() && !is_narrowed(query) {
            return vec![Self { column: None, is_exact: true }];
        }
        // One index has all that have a next attempt: there are few.
        if query.order.is_by_next_attempt() {
            let is_exact = asked.is_empty() && !is_narrowed(query);
            return vec![Self { column: None, is_exact }];
        }
        let is_exact = asked.len() == 1 && !is_narrowed(query);
        let walks = asked.iter().filter(|(column, value)| column.has(value));
        let walks: Vec<_> = walks.map(|(column, _)| Self { column: Some(*column), is_exact }).collect();
        if walks.is_empty() { vec![Self { column: None, is_exact: false }] } else { walks }
    }

    /// The way of these that is best from a place on (the newest row for `None`), and where it must end.
    pub(super) async fn best(
        database: &Database,
        table: Table,
        (space, query): (&SpaceId, &LogQuery),
        walks: &[Self],
        cursor: Option<&Cursor>,
    ) -> PortResult<(Self, Option<Cursor>)> {
        let mut best: Option<(Self, Option<Cursor>)> = None;
        for walk in walks {
            let end =
                if walk.is_exact { None } else { walk.end(database, table, (space, query), cursor).await? };
            let is_better = best.as_ref().is_none_or(|(_, reached)| match (reached, &end) {
                (Some(reached), Some(end)) => {
                    ((end.at, end.id) < (reached.at, reached.id)) != query.order.is_ascending()
                }
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
        Ok(best.unwrap_or((Self { column: None, is_exact: true }, None)))
    }

    /// The last of [`LOOKED_AT`] rows from a place on; `None` if there are fewer.
    async fn end(
        self,
        database: &Database,
        table: Table,
        (space, query): (&SpaceId, &LogQuery),
        cursor: Option<&Cursor>,
    ) -> PortResult<Option<Cursor>> {
        let at = table.at;
        let mut statement =
            QueryBuilder::new(format!("SELECT {at} AS at, id FROM {} WHERE space = ", table.name));
        statement.push_bind(space.as_str().to_owned());
        self.push(&mut statement, query);
        within(&mut statement, table, query, cursor);
        statement.push(format!("{} LIMIT 1 OFFSET {}", Self::order(table, query), LOOKED_AT - 1));
        let fail = fail("list the log");
        let last = statement.build().fetch_optional(database.pool()).await.map_err(fail)?;
        last.map(|last| Ok(Cursor { at: row::at(&last, "at")?, id: rows::uuid(row::get(&last, "id")?)? }))
            .transpose()
    }

    /// The rows of this way.
    fn push(self, statement: &mut QueryBuilder<Postgres>, query: &LogQuery) {
        if query.order.is_by_next_attempt() {
            statement.push(" AND next_at IS NOT NULL");
        }
        if let Some((column, value)) = self.column.and_then(|column| Some((column, column.value(query)?))) {
            statement.push(format!(" AND {} = ", column.name())).push_bind(value.to_owned());
            statement.push(column.condition());
        }
    }

    /// `ORDER BY …`. The few rows of an event have no index in this order, so they are told not to look for one.
    pub(super) fn order(table: Table, query: &LogQuery) -> String {
        let instant = if query.event.is_some() { format!("({} + 0)", table.at) } else { table.at.to_owned() };
        let way = way(query);
        format!(" ORDER BY {instant} {way}, id {way}")
    }

    /// `FROM … WHERE …` of the rows that a query asks for from a place on, as far as the way goes.
    pub(super) fn narrow(
        self,
        statement: &mut QueryBuilder<Postgres>,
        table: Table,
        (space, query): (&SpaceId, &LogQuery),
        (cursor, end): (Option<&Cursor>, Option<&Cursor>),
    ) {
        statement.push(format!(" FROM {} WHERE space = ", table.name)).push_bind(space.as_str().to_owned());
        if let Some(event) = query.event.as_ref().map(EventId::as_str) {
            statement.push(" AND event = ").push_bind(event.to_owned());
        }
        self.push(statement, query);
        for column in Column::ALL.into_iter().filter(|column| self.column != Some(*column)) {
            if let Some(value) = column.value(query) {
                // An expression, so that the planner keeps to the index of the way: it alone is known to be short.
                statement.push(format!(" AND ({} || '') = ", column.name())).push_bind(value.to_owned());
            }
        }
        narrow_further(statement, query);
        within(statement, table, query, cursor);
        if let Some(end) = end {
            let compare = if query.order.is_ascending() { "<=" } else { ">=" };
            if !query.order.is_ascending() {
                after(statement, table, end.at);
            }
            statement.push(format!(" AND ({}, id) {compare} (", table.at)).push_bind(end.at.unix_ms());
            statement.push(", ").push_bind(end.id.as_bytes().to_vec()).push(")");
        }
    }
}

/// How instants are ordered.
pub(super) fn way(query: &LogQuery) -> &'static str {
    if query.order.is_ascending() { "ASC" } else { "DESC" }
}

/// Whether something is asked for that no index is in order by.
fn is_narrowed(query: &LogQuery) -> bool {
    query.tried.is_some() || query.order.is_by_next_attempt() && (query.from.is_some() || query.to.is_some())
}

/// What [`is_narrowed`] says. Expressions again: the way is chosen.
fn narrow_further(statement: &mut QueryBuilder<Postgres>, query: &LogQuery) {
    if let Some(tried) = query.tried {
        statement.push(" AND (attempt > 0) = ").push_bind(tried);
    }
    if query.order.is_by_next_attempt() {
        if let Some(from) = query.from {
            statement.push(" AND (updated_at + 0) >= ").push_bind(from.unix_ms());
        }
        if let Some(to) = query.to {
            statement.push(" AND (updated_at + 0) < ").push_bind(to.unix_ms());
        }
    }
}

/// The window of a query, and what comes after a place.
fn within(statement: &mut QueryBuilder<Postgres>, table: Table, query: &LogQuery, cursor: Option<&Cursor>) {
    let by_next = query.order.is_by_next_attempt();
    let (from, to) = if by_next { (query.next_from, query.next_to) } else { (query.from, query.to) };
    if let Some(from) = from {
        statement.push(format!(" AND {} >= ", table.at)).push_bind(from.unix_ms());
        after(statement, table, from);
    }
    if let Some(to) = to {
        statement.push(format!(" AND {} < ", table.at)).push_bind(to.unix_ms());
        before(statement, to);
    }
    if let Some(cursor) = cursor {
        let compare = if query.order.is_ascending() { ">" } else { "<" };
        statement.push(format!(" AND ({}, id) {compare} (", table.at)).push_bind(cursor.at.unix_ms());
        statement.push(", ").push_bind(cursor.id.as_bytes().to_vec()).push(")");
        if !query.order.is_ascending() {
            before(statement, cursor.at);
        }
    }
}

/// Leaves out the partitions of later days: nothing is called, changed or due before its day, but for the clocks.
fn before(statement: &mut QueryBuilder<Postgres>, at: Timestamp) {
    statement.push(" AND day <= ").push_bind(at.day().0.saturating_add(1));
}

/// Leaves out the partitions of earlier days. A delivery changes long after its day.
fn after(statement: &mut QueryBuilder<Postgres>, table: Table, at: Timestamp) {
    if table.is_by_day {
        statement.push(" AND day >= ").push_bind(at.day().0.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(change: impl Fn(&mut LogQuery)) -> LogQuery {
        let mut query = LogQuery::default();
        change(&mut query);
        query
    }

    #[test]
    fn one_rare_value_is_exact_and_a_common_one_is_looked_for_everywhere() {
        let exact = |query: &LogQuery| {
            Walk::all(query).iter().map(|walk| (walk.column, walk.is_exact)).collect::<Vec<_>>()
        };
        assert_eq!(exact(&LogQuery::default()), [(None, true)]);
        let rare = query(|query| query.event_type = Some("Release".to_owned()));
        assert_eq!(exact(&rare), [(Some(Column::Type), true)]);
        let common = query(|query| query.state = Some(DeliveryState::Delivered));
        assert_eq!(exact(&common), [(None, false)]);
    }

    #[test]
    fn of_several_values_each_rare_one_is_a_way() {
        let both = query(|query| {
            query.webhook = Some(WebhookId::new("w").expect("an id"));
            query.state = Some(DeliveryState::GivenUp);
            query.action = Some("publish".to_owned());
        });
        let ways =
            [Column::State, Column::Webhook].map(|column| Walk { column: Some(column), is_exact: false });
        assert_eq!(Walk::all(&both), ways);
    }
}

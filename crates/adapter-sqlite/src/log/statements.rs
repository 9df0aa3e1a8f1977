//! The statements of the ways through calls and deliveries (`walks.rs`): each goes along one index, down from the greatest
//! instant or up from the smallest. What is not asked for is bound as NULL.

/// The statements of one way through a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    /// The last of the rows that are looked at.
    pub(super) end: &'static str,
    /// How many of them were asked for.
    pub(super) count: &'static str,
    /// The keys of a page (?16 rows, leaving out ?17).
    pub(super) keys: &'static str,
    /// Whether every row on the way is one that was asked for.
    pub(super) is_exact: bool,
}

/// The ways through a table in one order.
#[derive(Debug)]
pub(super) struct Walks {
    pub(super) of_event: Walk,
    /// Those of one value; `None` where there is one index for all.
    pub(super) of_values: Option<OfValues>,
    pub(super) all: Walk,
    /// Whether they go up.
    pub(super) is_ascending: bool,
}

/// The ways of the rows that share a value.
#[derive(Debug)]
pub(super) struct OfValues {
    pub(super) webhook: Walk,
    pub(super) state: Walk,
    pub(super) event_type: Walk,
    pub(super) action: Walk,
    pub(super) environment: Walk,
}

/// What differs between the way down and the way up: how instants compare with its far bound, with the row before the first
/// and with the last row, and its order.
macro_rules! way {
    (down, bound) => {
        ">="
    };
    (down, past) => {
        "<"
    };
    (down, end) => {
        ">="
    };
    (down, order) => {
        "DESC"
    };
    (up, bound) => {
        "<"
    };
    (up, past) => {
        ">"
    };
    (up, end) => {
        "<="
    };
    (up, order) => {
        "ASC"
    };
    (down, is_ascending) => {
        false
    };
    (up, is_ascending) => {
        true
    };
}

/// A table walked along one index. ?1 space, ?2 event, ?3 webhook, ?4 environment, ?5 type, ?6 action, ?7 state, ?8 the first
/// instant (down) or the one after the last (up), (?9, ?10) the row before the first.
macro_rules! walk {
    ($way:ident, $table:literal, $index:literal, $at:literal, $along:literal) => {
        concat!(
            "FROM ",
            $table,
            " INDEXED BY ",
            $index,
            " WHERE space = ?1 AND ",
            $along,
            " AND ",
            $at,
            " ",
            way!($way, bound),
            " ?8",
            " AND (",
            $at,
            ", id) ",
            way!($way, past),
            " (?9, ?10)"
        )
    };
}

/// The same without what was not asked for, and no further than (?11, ?12). What only some tables have comes after.
macro_rules! found {
    ($way:ident, $table:literal, $index:literal, $at:literal, $along:literal, $only:literal) => {
        concat!(
            walk!($way, $table, $index, $at, $along),
            " AND (",
            $at,
            ", id) ",
            way!($way, end),
            " (?11, ?12)",
            " AND (?2 IS NULL OR event = ?2) AND (?3 IS NULL OR webhook = ?3)",
            " AND (?4 IS NULL OR environment = ?4) AND (?5 IS NULL OR type = ?5)",
            " AND (?6 IS NULL OR action = ?6) AND (?7 IS NULL OR state = ?7)",
            $only
        )
    };
}

macro_rules! statements {
    ($way:ident, $table:literal, $index:literal, $at:literal, $along:literal, $only:literal) => {
        Walk {
            // 9999 is LOOKED_AT - 1, 10000 is EXACT_TOTAL. The counted ones need no order, but their way is one.
            end: concat!(
                "SELECT ", $at, " AS at, id ", walk!($way, $table, $index, $at, $along),
                " ORDER BY ", $at, " ", way!($way, order), ", id ", way!($way, order), " LIMIT 1 OFFSET 9999"
            ),
            count: concat!(
                "SELECT COUNT(*) FROM (SELECT 1 ", found!($way, $table, $index, $at, $along, $only),
                " LIMIT 10000)"
            ),
            keys: concat!(
                "SELECT seq, ", $at, " AS at, id ", found!($way, $table, $index, $at, $along, $only),
                " ORDER BY ", $at, " ", way!($way, order), ", id ", way!($way, order), " LIMIT ?16 OFFSET ?17"
            ),
            is_exact: false,
        }
    };
}

// The conditions are those of the indexes in `0006_log_lists.sql`, word for word.
macro_rules! walks {
    ($way:ident, $table:literal, $at:literal, $only:literal, $event:literal, $webhook:literal, $state:literal,
     $type:literal, $action:literal, $environment:literal, $time:literal) => {
        Walks {
            of_event: statements!($way, $table, $event, $at, "event = ?2", $only),
            of_values: Some(OfValues {
                webhook: statements!($way, $table, $webhook, $at, "webhook = ?3", $only),
                state: statements!($way, $table, $state, $at, "state = ?7 AND state <> 'delivered'", $only),
                event_type: statements!($way, $table, $type, $at, "type = ?5 AND type <> 'Entry'", $only),
                action: statements!(
                    $way,
                    $table,
                    $action,
                    $at,
                    "action = ?6 AND action NOT IN ('publish', 'save', 'auto_save')",
                    $only
                ),
                environment: statements!(
                    $way,
                    $table,
                    $environment,
                    $at,
                    "environment = ?4 AND environment <> 'master'",
                    $only
                ),
            }),
            all: statements!($way, $table, $time, $at, "1", $only),
            is_ascending: way!($way, is_ascending),
        }
    };
}

macro_rules! by_change {
    ($way:ident) => {
        walks!(
            $way,
            "deliveries",
            "updated_at",
            " AND (?13 IS NULL OR (attempt > 0) = ?13)",
            "deliveries_by_event",
            "deliveries_by_webhook",
            "deliveries_by_state",
            "deliveries_by_type",
            "deliveries_by_action",
            "deliveries_by_environment",
            "deliveries_by_time"
        )
    };
}

// Only those that wait for an attempt have an instant of the next one: few enough for one index. ?14 and ?15 are the window
// of the last change.
macro_rules! by_next_attempt {
    ($way:ident) => {
        Walks {
            of_event: statements!(
                $way,
                "deliveries",
                "deliveries_by_event",
                "next_at",
                "event = ?2 AND next_at IS NOT NULL",
                " AND (?13 IS NULL OR (attempt > 0) = ?13) AND (?14 IS NULL OR updated_at >= ?14) \
                 AND (?15 IS NULL OR updated_at < ?15)"
            ),
            of_values: None,
            all: statements!(
                $way,
                "deliveries",
                "deliveries_by_next",
                "next_at",
                "next_at IS NOT NULL",
                " AND (?13 IS NULL OR (attempt > 0) = ?13) AND (?14 IS NULL OR updated_at >= ?14) \
                 AND (?15 IS NULL OR updated_at < ?15)"
            ),
            is_ascending: way!($way, is_ascending),
        }
    };
}

pub(super) const CALLS: Walks = walks!(
    down,
    "calls",
    "started_at",
    "",
    "calls_by_event",
    "calls_by_webhook",
    "calls_by_state",
    "calls_by_type",
    "calls_by_action",
    "calls_by_environment",
    "calls_by_time"
);
pub(super) const DELIVERIES: Walks = by_change!(down);
pub(super) const DELIVERIES_OLDEST: Walks = by_change!(up);
pub(super) const DELIVERIES_SOONEST: Walks = by_next_attempt!(up);
pub(super) const DELIVERIES_LATEST: Walks = by_next_attempt!(down);

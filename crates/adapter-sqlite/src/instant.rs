//! Instants and days as the columns keep them.

use postrider_domain::timestamp::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// An instant of a column.
pub(crate) fn at(row: &SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    row.try_get(column).map(Timestamp::from_unix_ms)
}

/// An instant that may be absent.
pub(crate) fn maybe_at(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column).map(|ms| ms.map(Timestamp::from_unix_ms))
}

//! Columns in the words of the domain.

use std::fmt::Display;

use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};

use crate::fault::{damaged, port_error};

/// A column.
pub(crate) fn get<'r, T>(row: &'r PgRow, column: &str) -> PortResult<T>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(|error| port_error("read a stored row", error))
}

/// A column that is a checked text.
pub(crate) fn id<T, E: Display>(
    row: &PgRow,
    column: &str,
    new: impl Fn(&str) -> Result<T, E>,
) -> PortResult<T> {
    new(get(row, column)?).map_err(damaged)
}

/// A number: Postgres has no unsigned ones.
pub(crate) fn number<T: TryFrom<i64>>(row: &PgRow, column: &str) -> PortResult<T> {
    let number: i64 = get(row, column)?;
    T::try_from(number).map_err(|_| damaged(format!("{column} is {number}")))
}

/// An instant.
pub(crate) fn at(row: &PgRow, column: &str) -> PortResult<Timestamp> {
    get(row, column).map(Timestamp::from_unix_ms)
}

/// An instant that may be absent.
pub(crate) fn maybe_at(row: &PgRow, column: &str) -> PortResult<Option<Timestamp>> {
    get::<Option<i64>>(row, column).map(|ms| ms.map(Timestamp::from_unix_ms))
}

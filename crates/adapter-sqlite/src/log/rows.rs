//! Rows of the log in the words of the domain.

use std::fmt::Display;
use std::sync::Arc;

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryRef, DeliveryState};
use postrider_domain::event::{BodyRef, EventHead};
use postrider_domain::id::{CallId, WebhookId};
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::DeliveryRow;
use postrider_wire::Wire;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Type};
use uuid::Uuid;

use crate::fault::{port_error, undecodable};
use crate::instant;

/// The day of a call, read from its id (DESIGN §5).
pub(super) fn call_day(id: CallId) -> Day {
    Timestamp::from_unix_ms(i64::try_from(id.unix_ms()).unwrap_or(0)).day()
}

/// A column.
pub(super) fn get<'r, T>(row: &'r SqliteRow, column: &str) -> PortResult<T>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(|error| port_error("read the log", error))
}

/// The head of an event.
pub(super) fn head(row: &SqliteRow) -> PortResult<Arc<EventHead>> {
    let bytes: &[u8] = get(row, "head")?;
    EventHead::decode(bytes).map(Arc::new).map_err(|error| undecodable("head of an event", &error))
}

/// A delivery; the row also has the head of its event.
pub(super) fn delivery(row: &SqliteRow) -> PortResult<DeliveryRow> {
    delivery_of(row, head(row)?)
}

/// A delivery of an event whose head is known.
pub(super) fn delivery_of(row: &SqliteRow, event: Arc<EventHead>) -> PortResult<DeliveryRow> {
    let instants = |error| port_error("read the log", error);
    let superseded_by: Option<&[u8]> = get(row, "superseded_by")?;
    Ok(DeliveryRow {
        id: DeliveryId(uuid(get(row, "id")?)?),
        delivery: DeliveryRef {
            event,
            webhook: WebhookId::new(get(row, "webhook")?).map_err(damaged)?,
            generation: get(row, "generation")?,
        },
        state: state(get(row, "state")?)?,
        attempt: get(row, "attempt")?,
        next_at: instant::maybe_at(row, "next_at").map_err(instants)?,
        reason: get(row, "reason")?,
        superseded_by: superseded_by.map(uuid).transpose()?.map(DeliveryId),
        updated_at: instant::at(row, "updated_at").map_err(instants)?,
    })
}

/// A call.
pub(super) fn call(row: &SqliteRow) -> PortResult<CallRecord> {
    let bytes: &[u8] = get(row, "record")?;
    CallRecord::decode(bytes).map_err(|error| undecodable("call", &error))
}

/// Where an event's content is, if it is kept apart.
pub(super) fn body(row: &SqliteRow) -> PortResult<Option<BodyRef>> {
    let sha256: Option<&[u8]> = get(row, "body_sha256")?;
    let Some(sha256) = sha256 else { return Ok(None) };
    Ok(Some(BodyRef {
        day: Day(get(row, "body_day")?),
        sha256: sha256.try_into().map_err(damaged)?,
        length: get(row, "body_length")?,
    }))
}

/// A state.
pub(super) fn state(text: &str) -> PortResult<DeliveryState> {
    DeliveryState::parse(text).ok_or_else(|| damaged(format!("state {text:?}")))
}

/// An id of 16 bytes.
pub(super) fn uuid(bytes: &[u8]) -> PortResult<Uuid> {
    Uuid::from_slice(bytes).map_err(damaged)
}

/// What only a hand on the file can have brought about.
pub(super) fn damaged(what: impl Display) -> PortError {
    PortError::permanent(format!("a stored row of the log is not as it was written: {what}"))
}

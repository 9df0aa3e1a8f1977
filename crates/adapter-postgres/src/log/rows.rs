//! Rows of the log in the words of the domain.

use std::sync::Arc;

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryRef, DeliveryState};
use postrider_domain::event::{BodyRef, EventHead};
use postrider_domain::id::{CallId, WebhookId};
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::error::PortResult;
use postrider_ports::log::DeliveryRow;
use postrider_wire::Wire;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::fault::{damaged, undecodable};
use crate::row::{at, get, id, maybe_at, number};

/// The day of a call, read from its id (DESIGN §5).
pub(super) fn call_day(id: CallId) -> Day {
    Timestamp::from_unix_ms(i64::try_from(id.unix_ms()).unwrap_or(0)).day()
}

/// The head of an event.
pub(super) fn head(row: &PgRow) -> PortResult<Arc<EventHead>> {
    let bytes: &[u8] = get(row, "head")?;
    EventHead::decode(bytes).map(Arc::new).map_err(|error| undecodable("head of an event", &error))
}

/// A delivery; the row also has the head of its event.
pub(super) fn delivery(row: &PgRow) -> PortResult<DeliveryRow> {
    delivery_of(row, head(row)?)
}

/// A delivery of an event whose head is known.
pub(super) fn delivery_of(row: &PgRow, event: Arc<EventHead>) -> PortResult<DeliveryRow> {
    let superseded_by: Option<&[u8]> = get(row, "superseded_by")?;
    let reason: Option<Vec<u8>> = get(row, "reason")?;
    Ok(DeliveryRow {
        id: DeliveryId(uuid(get(row, "id")?)?),
        delivery: DeliveryRef {
            event,
            webhook: id(row, "webhook", WebhookId::new)?,
            generation: number(row, "generation")?,
        },
        state: state(get(row, "state")?)?,
        attempt: number(row, "attempt")?,
        next_at: maybe_at(row, "next_at")?,
        reason: reason.map(String::from_utf8).transpose().map_err(damaged)?,
        superseded_by: superseded_by.map(uuid).transpose()?.map(DeliveryId),
        updated_at: at(row, "updated_at")?,
    })
}

/// A call.
pub(super) fn call(row: &PgRow) -> PortResult<CallRecord> {
    CallRecord::decode(get(row, "record")?).map_err(|error| undecodable("call", &error))
}

/// Where an event's content is, if it is kept apart.
pub(super) fn body(row: &PgRow) -> PortResult<Option<BodyRef>> {
    let sha256: Option<&[u8]> = get(row, "body_sha256")?;
    let Some(sha256) = sha256 else { return Ok(None) };
    Ok(Some(BodyRef {
        day: Day(get(row, "body_day")?),
        sha256: sha256.try_into().map_err(damaged)?,
        length: number(row, "body_length")?,
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

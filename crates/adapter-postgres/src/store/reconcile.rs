//! The epoch of the broker, and the runs that put back what it lost.

use async_trait::async_trait;
use postrider_domain::id::SpaceId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortErrorKind, PortResult};
use postrider_ports::reconcile::{Cause, Ended, Epoch, Era, LISTED, Place, Reconciliations, Run};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use uuid::Uuid;

use super::registry::column;
use crate::database::Database;
use crate::fault::{damaged, fail};
use crate::row::{at, get, maybe_at, number};

#[async_trait]
impl Reconciliations for Database {
    async fn era(&self) -> PortResult<Option<Era>> {
        let what = fail("read the epoch of the broker");
        let row = sqlx::query("SELECT epoch, seen_at FROM broker_epoch").fetch_optional(self.pool()).await;
        let era = |row: PgRow| Ok(Era { epoch: epoch(&row, "epoch")?, seen_at: at(&row, "seen_at")? });
        row.map_err(what)?.map(era).transpose()
    }

    async fn note_era(&self, before: Option<Epoch>, era: &Era) -> PortResult<bool> {
        let change = match before {
            None => {
                "INSERT INTO broker_epoch (epoch, seen_at) SELECT $1, $2 WHERE $3::bytea IS NULL \
                 ON CONFLICT DO NOTHING"
            }
            Some(_) => "UPDATE broker_epoch SET epoch = $1, seen_at = $2 WHERE epoch = $3",
        };
        let changed = sqlx::query(change)
            .bind(bytes(era.epoch))
            .bind(era.seen_at.unix_ms())
            .bind(before.map(bytes))
            .execute(self.pool())
            .await
            .map_err(fail("note the epoch of the broker"))?;
        Ok(changed.rows_affected() > 0)
    }

    async fn runs(&self) -> PortResult<Vec<Run>> {
        let rows = sqlx::query("SELECT * FROM reconciliations ORDER BY seq DESC LIMIT $1")
            .bind(i64::try_from(LISTED).unwrap_or(i64::MAX))
            .fetch_all(self.pool())
            .await
            .map_err(fail("list what was put back"))?;
        rows.iter().map(run).collect()
    }

    async fn enter(&self, run: &Run) -> PortResult<bool> {
        let insert = sqlx::query(
            "INSERT INTO reconciliations (asked_at, until, began_at, place_space, place_parked, place_at, place_id, \
             put_back, without_content, ended_at, refused, id, cause, due_before, missing_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        );
        let entered = progress(insert, run)?
            .bind(bytes(run.id))
            .bind(run.cause.as_str())
            .bind(run.due_before.map(Timestamp::unix_ms))
            .bind(run.missing_ms.map(column).transpose()?)
            .execute(self.pool())
            .await
            .map_err(fail("enter what is to be put back"));
        match entered {
            Ok(_) => Ok(true),
            Err(error) if error.kind == PortErrorKind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn advance(&self, before: &Run, after: &Run) -> PortResult<bool> {
        let update = sqlx::query(
            "UPDATE reconciliations SET asked_at = $1, until = $2, began_at = $3, place_space = $4, place_parked = $5, \
             place_at = $6, place_id = $7, put_back = $8, without_content = $9, ended_at = $10, refused = $11 \
             WHERE id = $12 AND ended_at IS NULL AND asked_at = $13 AND put_back = $14 AND without_content = $15 \
             AND (place_space, place_parked, place_at, place_id) IS NOT DISTINCT FROM \
             ($16::text, $17::boolean, $18::bigint, $19::bytea)",
        );
        let place = before.place.as_ref();
        let changed = progress(update, after)?
            .bind(bytes(before.id))
            .bind(before.asked_at.unix_ms())
            .bind(column(before.put_back)?)
            .bind(column(before.without_content)?)
            .bind(place.map(|place| place.space.as_str().to_owned()))
            .bind(place.map(|place| place.parked))
            .bind(place.map(|place| place.at.unix_ms()))
            .bind(place.map(|place| place.id.as_bytes().to_vec()))
            .execute(self.pool())
            .await
            .map_err(fail("note what was put back"))?;
        Ok(changed.rows_affected() > 0)
    }
}

/// Binds what changes in the course of a run: $1 to $11.
fn progress<'q>(
    query: Query<'q, Postgres, PgArguments>,
    run: &Run,
) -> PortResult<Query<'q, Postgres, PgArguments>> {
    let place = run.place.as_ref();
    let ended = run.ended.as_ref();
    Ok(query
        .bind(run.asked_at.unix_ms())
        .bind(run.until.unix_ms())
        .bind(run.began_at.map(Timestamp::unix_ms))
        .bind(place.map(|place| place.space.as_str().to_owned()))
        .bind(place.map(|place| place.parked))
        .bind(place.map(|place| place.at.unix_ms()))
        .bind(place.map(|place| place.id.as_bytes().to_vec()))
        .bind(column(run.put_back)?)
        .bind(column(run.without_content)?)
        .bind(ended.map(|ended| ended.at.unix_ms()))
        .bind(ended.and_then(|ended| ended.refused.clone())))
}

fn bytes(epoch: Epoch) -> Vec<u8> {
    epoch.0.as_bytes().to_vec()
}

fn epoch(row: &PgRow, name: &str) -> PortResult<Epoch> {
    Uuid::from_slice(get(row, name)?).map(Epoch).map_err(damaged)
}

fn run(row: &PgRow) -> PortResult<Run> {
    let cause: &str = get(row, "cause")?;
    let missing_ms: Option<i64> = get(row, "missing_ms")?;
    let ended = match maybe_at(row, "ended_at")? {
        Some(at) => Some(Ended { at, refused: get(row, "refused")? }),
        None => None,
    };
    Ok(Run {
        id: epoch(row, "id")?,
        cause: Cause::parse(cause).ok_or_else(|| damaged(format!("cause is {cause}")))?,
        asked_at: at(row, "asked_at")?,
        until: at(row, "until")?,
        due_before: maybe_at(row, "due_before")?,
        began_at: maybe_at(row, "began_at")?,
        place: place(row)?,
        put_back: number(row, "put_back")?,
        without_content: number(row, "without_content")?,
        missing_ms: missing_ms.map(u64::try_from).transpose().map_err(damaged)?,
        ended,
    })
}

fn place(row: &PgRow) -> PortResult<Option<Place>> {
    let space: Option<&str> = get(row, "place_space")?;
    let Some(space) = space else { return Ok(None) };
    Ok(Some(Place {
        space: SpaceId::new(space).map_err(damaged)?,
        parked: get(row, "place_parked")?,
        at: at(row, "place_at")?,
        id: epoch(row, "place_id")?.0,
    }))
}

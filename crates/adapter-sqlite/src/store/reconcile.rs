//! The epoch of the queues as the store knows it, and the runs that put back open deliveries.

use async_trait::async_trait;
use postrider_domain::id::SpaceId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortErrorKind, PortResult};
use postrider_ports::reconcile::{Cause, Ended, Epoch, Era, LISTED, Place, Reconciliations, Run};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};
use uuid::Uuid;

use super::registry::column;
use crate::database::Database;
use crate::fault::port_error;
use crate::instant;
use crate::writer::step;

#[async_trait]
impl Reconciliations for Database {
    async fn era(&self) -> PortResult<Option<Era>> {
        let what = "read the epoch of the queues";
        let mut reader = self.reader(what).await?;
        let row = sqlx::query("SELECT epoch, seen_at FROM broker_epoch").fetch_optional(&mut *reader).await;
        let era = |row: SqliteRow| Ok(Era { epoch: epoch(&row, "epoch")?, seen_at: at(&row, "seen_at")? });
        row.map_err(|error| port_error(what, error))?.map(era).transpose()
    }

    async fn note_era(&self, before: Option<Epoch>, era: &Era) -> PortResult<bool> {
        let era = *era;
        let work = step(move |connection| {
            Box::pin(async move {
                let change = match before {
                    None => {
                        "INSERT INTO broker_epoch (one, epoch, seen_at) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING"
                    }
                    Some(_) => "UPDATE broker_epoch SET epoch = ?1, seen_at = ?2 WHERE epoch = ?3",
                };
                let query = sqlx::query(change).bind(bytes(era.epoch)).bind(era.seen_at.unix_ms());
                let query = match before {
                    None => query,
                    Some(before) => query.bind(bytes(before)),
                };
                Ok(query.execute(connection).await?.rows_affected() > 0)
            })
        });
        self.shared.writer.single("note the epoch of the queues", work).await
    }

    async fn runs(&self) -> PortResult<Vec<Run>> {
        let what = "list what was put back";
        let mut reader = self.reader(what).await?;
        let rows = sqlx::query("SELECT * FROM reconciliations ORDER BY seq DESC LIMIT ?1")
            .bind(i64::try_from(LISTED).unwrap_or(i64::MAX))
            .fetch_all(&mut *reader)
            .await
            .map_err(|error| port_error(what, error))?;
        rows.iter().map(run).collect()
    }

    async fn enter(&self, run: &Run) -> PortResult<bool> {
        let run = run.clone();
        let (put_back, without_content) = (column(run.put_back)?, column(run.without_content)?);
        let missing_ms = run.missing_ms.map(column).transpose()?;
        let work = step(move |connection| {
            Box::pin(async move {
                let insert = sqlx::query(
                    "INSERT INTO reconciliations (asked_at, until, began_at, place_space, place_parked, place_at, \
                     place_id, put_back, without_content, ended_at, refused, id, cause, due_before, missing_ms) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                );
                progress(insert, &run, put_back, without_content)
                    .bind(bytes(run.id))
                    .bind(run.cause.as_str())
                    .bind(run.due_before.map(Timestamp::unix_ms))
                    .bind(missing_ms)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        match self.shared.writer.single("enter what is to be put back", work).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == PortErrorKind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn advance(&self, before: &Run, after: &Run) -> PortResult<bool> {
        let (before, after) = (before.clone(), after.clone());
        let (put_back, without_content) = (column(after.put_back)?, column(after.without_content)?);
        let (known_put_back, known_without) = (column(before.put_back)?, column(before.without_content)?);
        let work = step(move |connection| {
            Box::pin(async move {
                let update = sqlx::query(
                    "UPDATE reconciliations SET asked_at = ?1, until = ?2, began_at = ?3, place_space = ?4, \
                     place_parked = ?5, place_at = ?6, place_id = ?7, put_back = ?8, without_content = ?9, ended_at = ?10, \
                     refused = ?11 WHERE id = ?12 AND ended_at IS NULL AND asked_at = ?13 AND put_back = ?14 \
                     AND without_content = ?15 AND place_space IS ?16 AND place_parked IS ?17 AND place_at IS ?18 \
                     AND place_id IS ?19",
                );
                let place = before.place.as_ref();
                let changed = progress(update, &after, put_back, without_content)
                    .bind(bytes(before.id))
                    .bind(before.asked_at.unix_ms())
                    .bind(known_put_back)
                    .bind(known_without)
                    .bind(place.map(|place| place.space.as_str().to_owned()))
                    .bind(place.map(|place| place.parked))
                    .bind(place.map(|place| place.at.unix_ms()))
                    .bind(place.map(|place| place.id.as_bytes().to_vec()))
                    .execute(connection)
                    .await?;
                Ok(changed.rows_affected() > 0)
            })
        });
        self.shared.writer.single("note what was put back", work).await
    }
}

/// Binds what changes in the course of a run: ?1 to ?11.
fn progress<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    run: &Run,
    put_back: i64,
    without_content: i64,
) -> Query<'q, Sqlite, SqliteArguments> {
    let place = run.place.as_ref();
    let ended = run.ended.as_ref();
    query
        .bind(run.asked_at.unix_ms())
        .bind(run.until.unix_ms())
        .bind(run.began_at.map(Timestamp::unix_ms))
        .bind(place.map(|place| place.space.as_str().to_owned()))
        .bind(place.map(|place| place.parked))
        .bind(place.map(|place| place.at.unix_ms()))
        .bind(place.map(|place| place.id.as_bytes().to_vec()))
        .bind(put_back)
        .bind(without_content)
        .bind(ended.map(|ended| ended.at.unix_ms()))
        .bind(ended.and_then(|ended| ended.refused.clone()))
}

fn bytes(epoch: Epoch) -> Vec<u8> {
    epoch.0.as_bytes().to_vec()
}

fn sql(error: sqlx::Error) -> PortError {
    port_error("read a stored row", error)
}

fn damaged(what: impl std::fmt::Display) -> PortError {
    PortError::permanent(format!("a stored row is not as it was written: {what}"))
}

fn at(row: &SqliteRow, name: &str) -> PortResult<Timestamp> {
    instant::at(row, name).map_err(sql)
}

fn epoch(row: &SqliteRow, name: &str) -> PortResult<Epoch> {
    Uuid::from_slice(row.try_get(name).map_err(sql)?).map(Epoch).map_err(damaged)
}

fn number(row: &SqliteRow, name: &str) -> PortResult<u64> {
    u64::try_from(row.try_get::<i64, _>(name).map_err(sql)?).map_err(damaged)
}

fn run(row: &SqliteRow) -> PortResult<Run> {
    let cause: &str = row.try_get("cause").map_err(sql)?;
    let missing_ms: Option<i64> = row.try_get("missing_ms").map_err(sql)?;
    let maybe_at = |name| instant::maybe_at(row, name).map_err(sql);
    let ended = match maybe_at("ended_at")? {
        Some(at) => Some(Ended { at, refused: row.try_get("refused").map_err(sql)? }),
        None => None,
    };
    Ok(Run {
        id: epoch(row, "id")?,
        cause: Cause::parse(cause).ok_or_else(|| damaged(format!("cause is {cause}")))?,
        asked_at: at(row, "asked_at")?,
        until: at(row, "until")?,
        due_before: maybe_at("due_before")?,
        began_at: maybe_at("began_at")?,
        place: place(row)?,
        put_back: number(row, "put_back")?,
        without_content: number(row, "without_content")?,
        missing_ms: missing_ms.map(u64::try_from).transpose().map_err(damaged)?,
        ended,
    })
}

fn place(row: &SqliteRow) -> PortResult<Option<Place>> {
    let space: Option<&str> = row.try_get("place_space").map_err(sql)?;
    let Some(space) = space else { return Ok(None) };
    Ok(Some(Place {
        space: SpaceId::new(space).map_err(damaged)?,
        parked: row.try_get("place_parked").map_err(sql)?,
        at: at(row, "place_at")?,
        id: epoch(row, "place_id")?.0,
    }))
}

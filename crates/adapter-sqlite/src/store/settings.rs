//! What spaces have settled. Every change is noted for the dispatchers in the same transaction.

use postrider_domain::id::SpaceId;
use postrider_domain::space::SpaceSettings;
use postrider_ports::error::PortResult;
use postrider_wire::Wire;
use sqlx::{Row, SqliteConnection};

use super::registry::column;
use super::subscriptions::change;
use crate::database::Database;
use crate::fault::{Fault, undecodable};
use crate::writer::step;

/// The settings of a space; one without any has the default.
pub(super) async fn find(connection: &mut SqliteConnection, space: &SpaceId) -> Result<SpaceSettings, Fault> {
    let row = sqlx::query("SELECT body FROM space_settings WHERE space = ?1")
        .bind(space.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(settings(space.as_str(), row.as_ref().map(|row| row.get("body")))?)
}

/// Reads stored settings.
pub(super) fn settings(space: &str, body: Option<&[u8]>) -> PortResult<SpaceSettings> {
    let Some(body) = body else { return Ok(SpaceSettings::default()) };
    SpaceSettings::decode(body)
        .map_err(|error| undecodable(&format!("the settings of space {space}"), &error))
}

/// Replaces them if they have the expected version.
pub(super) async fn put(
    database: &Database,
    space: &SpaceId,
    settings: &SpaceSettings,
    expected: u64,
) -> PortResult<bool> {
    let place = (space.clone(), None);
    let (space, version, body) = (space.clone(), column(settings.version)?, settings.encode());
    let work = step(move |connection| {
        Box::pin(async move {
            if find(connection, &space).await?.version != expected {
                return Ok((false, false));
            }
            sqlx::query(
                "INSERT INTO space_settings (space, version, body) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (space) DO UPDATE SET version = excluded.version, body = excluded.body",
            )
            .bind(space.as_str())
            .bind(version)
            .bind(body)
            .execute(connection)
            .await?;
            Ok((true, true))
        })
    });
    change(&database.shared, "store the settings of a space", place, work).await
}

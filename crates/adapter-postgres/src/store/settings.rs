//! What spaces have settled. Every change is noted for the dispatchers in the same transaction.

use postrider_domain::id::SpaceId;
use postrider_domain::space::SpaceSettings;
use postrider_ports::error::PortResult;
use postrider_wire::Wire;
use sqlx::PgExecutor;

use super::registry::column;
use super::subscriptions::{note, take_turns};
use crate::database::Database;
use crate::fault::{fail, undecodable};
use crate::row;

/// Reads stored settings; a space without any has the default.
pub(super) fn settings(space: &str, body: Option<&[u8]>) -> PortResult<SpaceSettings> {
    body.map_or_else(
        || Ok(SpaceSettings::default()),
        |body| {
            SpaceSettings::decode(body)
                .map_err(|error| undecodable(&format!("the settings of space {space}"), &error))
        },
    )
}

/// The settings of a space.
pub(super) async fn find(on: impl PgExecutor<'_>, space: &SpaceId) -> PortResult<SpaceSettings> {
    let row = sqlx::query("SELECT body FROM space_settings WHERE space = $1")
        .bind(space.as_str())
        .fetch_optional(on)
        .await
        .map_err(fail("read the settings of a space"))?;
    settings(space.as_str(), row.as_ref().map(|row| row::get(row, "body")).transpose()?)
}

/// Replaces them if they have the expected version.
pub(super) async fn put(
    database: &Database,
    space: &SpaceId,
    settings: &SpaceSettings,
    expected: u64,
) -> PortResult<bool> {
    let what = "store the settings of a space";
    let mut change = database.begin(what).await?;
    take_turns(&mut change).await.map_err(fail(what))?;
    if find(&mut change, space).await?.version != expected {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO space_settings (space, version, body) VALUES ($1, $2, $3) \
         ON CONFLICT (space) DO UPDATE SET version = excluded.version, body = excluded.body",
    )
    .bind(space.as_str())
    .bind(column(settings.version)?)
    .bind(settings.encode())
    .execute(&mut change)
    .await
    .map_err(fail(what))?;
    note(&mut change, space, None).await.map_err(fail(what))?;
    change.commit().await.map_err(fail(what))?;
    Ok(true)
}

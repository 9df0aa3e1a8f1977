//! Tokens and spaces.

use async_trait::async_trait;
use postrider_domain::id::{EnvironmentId, SpaceId, TokenId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Grant, Role, Token};
use postrider_ports::access::{Space, Spaces, Tokens};
use postrider_ports::error::{PortError, PortResult};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::settings;
use crate::database::Database;
use crate::fault::port_error;
use crate::instant;
use crate::writer::step;

#[async_trait]
impl Tokens for Database {
    async fn find(&self, sha256: &[u8; 32]) -> PortResult<Option<Token>> {
        let mut reader = self.reader("find a token").await?;
        let row = sqlx::query("SELECT * FROM tokens WHERE sha256 = ?1")
            .bind(sha256.as_slice())
            .fetch_optional(&mut *reader)
            .await
            .map_err(|error| port_error("find a token", error))?;
        row.as_ref().map(token).transpose()
    }

    async fn insert(&self, token: &Token) -> PortResult<()> {
        let token = token.clone();
        let work = step(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO tokens (id, sha256, prefix, name, space, role, created_at, expires_at, revoked_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )
                .bind(token.id.as_str())
                .bind(token.sha256.as_slice())
                .bind(&token.prefix)
                .bind(&token.name)
                .bind(token.grant.space.as_ref().map(SpaceId::as_str))
                .bind(token.grant.role.as_str())
                .bind(token.created_at.unix_ms())
                .bind(token.expires_at.map(Timestamp::unix_ms))
                .bind(token.revoked_at.map(Timestamp::unix_ms))
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        self.shared.writer.single("store a token", work).await
    }

    async fn list(&self) -> PortResult<Vec<Token>> {
        let mut reader = self.reader("list tokens").await?;
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY created_at, seq")
            .fetch_all(&mut *reader)
            .await
            .map_err(|error| port_error("list tokens", error))?;
        rows.iter().map(token).collect()
    }

    async fn revoke(&self, id: &TokenId, at: Timestamp) -> PortResult<bool> {
        let id = id.clone();
        let work = step(move |connection| {
            Box::pin(async move {
                // Revoked once stays revoked since then.
                let done =
                    sqlx::query("UPDATE tokens SET revoked_at = COALESCE(revoked_at, ?2) WHERE id = ?1")
                        .bind(id.as_str())
                        .bind(at.unix_ms())
                        .execute(connection)
                        .await?;
                Ok(done.rows_affected() > 0)
            })
        });
        self.shared.writer.single("revoke a token", work).await
    }
}

#[async_trait]
impl Spaces for Database {
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>> {
        let mut reader = self.reader("find a space").await?;
        let row = sqlx::query("SELECT * FROM spaces WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(&mut *reader)
            .await
            .map_err(|error| port_error("find a space", error))?;
        row.as_ref().map(space).transpose()
    }

    async fn spaces(&self) -> PortResult<Vec<Space>> {
        let mut reader = self.reader("list spaces").await?;
        let rows = sqlx::query("SELECT * FROM spaces ORDER BY id")
            .fetch_all(&mut *reader)
            .await
            .map_err(|error| port_error("list spaces", error))?;
        rows.iter().map(space).collect()
    }

    async fn put_space(&self, space: &Space) -> PortResult<()> {
        let space = space.clone();
        let environments: Vec<&str> = space.environments.iter().map(EnvironmentId::as_str).collect();
        let environments = serde_json::Value::from(environments).to_string();
        let work = step(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO spaces (id, name, environments, created_at) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (id) DO UPDATE SET name = excluded.name, environments = excluded.environments",
                )
                .bind(space.id.as_str())
                .bind(&space.name)
                .bind(environments)
                .bind(space.created_at.unix_ms())
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        self.shared.writer.single("store a space", work).await
    }

    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings> {
        let what = "read the settings of a space";
        let mut reader = self.reader(what).await?;
        settings::find(&mut reader, id).await.map_err(|fault| fault.into_port(what))
    }

    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool> {
        settings::put(self, id, settings, expected).await
    }
}

fn token(row: &SqliteRow) -> PortResult<Token> {
    let sql = |error| port_error("read a token", error);
    let space: Option<String> = row.try_get("space").map_err(sql)?;
    let role: String = row.try_get("role").map_err(sql)?;
    let sha256: Vec<u8> = row.try_get("sha256").map_err(sql)?;
    Ok(Token {
        id: id(row, "id", TokenId::new)?,
        sha256: sha256.try_into().map_err(|_| damaged("a token's hash"))?,
        prefix: row.try_get("prefix").map_err(sql)?,
        name: row.try_get("name").map_err(sql)?,
        grant: Grant {
            space: space.map(|space| SpaceId::new(&space)).transpose().map_err(damaged)?,
            role: Role::parse(&role).ok_or_else(|| damaged(format!("role {role:?}")))?,
        },
        created_at: instant::at(row, "created_at").map_err(sql)?,
        expires_at: instant::maybe_at(row, "expires_at").map_err(sql)?,
        revoked_at: instant::maybe_at(row, "revoked_at").map_err(sql)?,
    })
}

fn space(row: &SqliteRow) -> PortResult<Space> {
    let sql = |error| port_error("read a space", error);
    let environments: String = row.try_get("environments").map_err(sql)?;
    let environments: Vec<String> = serde_json::from_str(&environments).map_err(damaged)?;
    Ok(Space {
        id: id(row, "id", SpaceId::new)?,
        name: row.try_get("name").map_err(sql)?,
        environments: environments
            .iter()
            .map(|name| EnvironmentId::new(name))
            .collect::<Result<_, _>>()
            .map_err(damaged)?,
        created_at: instant::at(row, "created_at").map_err(sql)?,
    })
}

pub(super) fn id<T, E: std::fmt::Display>(
    row: &SqliteRow,
    column: &str,
    new: impl Fn(&str) -> Result<T, E>,
) -> PortResult<T> {
    let text: String = row.try_get(column).map_err(|error| port_error("read an id", error))?;
    new(&text).map_err(damaged)
}

/// What only a hand on the file can have brought about.
fn damaged(what: impl std::fmt::Display) -> PortError {
    PortError::permanent(format!("a stored row is not as it was written: {what}"))
}

//! Tokens and spaces.

use async_trait::async_trait;
use postrider_domain::id::{EnvironmentId, SpaceId, TokenId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Grant, Role, Token};
use postrider_ports::access::{Space, Spaces, Tokens};
use postrider_ports::error::PortResult;
use sqlx::postgres::PgRow;

use super::settings;
use crate::database::Database;
use crate::fault::{damaged, fail};
use crate::row;

#[async_trait]
impl Tokens for Database {
    async fn find(&self, sha256: &[u8; 32]) -> PortResult<Option<Token>> {
        let row = sqlx::query("SELECT * FROM tokens WHERE sha256 = $1")
            .bind(sha256.as_slice())
            .fetch_optional(self.pool())
            .await
            .map_err(fail("find a token"))?;
        row.as_ref().map(token).transpose()
    }

    async fn insert(&self, token: &Token) -> PortResult<()> {
        sqlx::query(
            "INSERT INTO tokens (id, sha256, prefix, name, space, role, created_at, expires_at, revoked_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
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
        .execute(self.pool())
        .await
        .map_err(fail("store a token"))?;
        Ok(())
    }

    async fn list(&self) -> PortResult<Vec<Token>> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY created_at, seq")
            .fetch_all(self.pool())
            .await
            .map_err(fail("list tokens"))?;
        rows.iter().map(token).collect()
    }

    async fn revoke(&self, id: &TokenId, at: Timestamp) -> PortResult<bool> {
        // Revoked once stays revoked since then.
        let done = sqlx::query("UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1")
            .bind(id.as_str())
            .bind(at.unix_ms())
            .execute(self.pool())
            .await
            .map_err(fail("revoke a token"))?;
        Ok(done.rows_affected() > 0)
    }
}

#[async_trait]
impl Spaces for Database {
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>> {
        let row = sqlx::query("SELECT * FROM spaces WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(self.pool())
            .await
            .map_err(fail("find a space"))?;
        row.as_ref().map(space).transpose()
    }

    async fn spaces(&self) -> PortResult<Vec<Space>> {
        // In the order of bytes, whatever language the database speaks.
        let rows = sqlx::query("SELECT * FROM spaces ORDER BY id COLLATE \"C\"")
            .fetch_all(self.pool())
            .await
            .map_err(fail("list spaces"))?;
        rows.iter().map(space).collect()
    }

    async fn put_space(&self, space: &Space) -> PortResult<()> {
        let environments: Vec<&str> = space.environments.iter().map(EnvironmentId::as_str).collect();
        sqlx::query(
            "INSERT INTO spaces (id, name, environments, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, environments = excluded.environments",
        )
        .bind(space.id.as_str())
        .bind(&space.name)
        .bind(environments)
        .bind(space.created_at.unix_ms())
        .execute(self.pool())
        .await
        .map_err(fail("store a space"))?;
        Ok(())
    }

    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings> {
        settings::find(self.pool(), id).await
    }

    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool> {
        settings::put(self, id, settings, expected).await
    }
}

fn token(row: &PgRow) -> PortResult<Token> {
    let space: Option<String> = row::get(row, "space")?;
    let role: &str = row::get(row, "role")?;
    let sha256: &[u8] = row::get(row, "sha256")?;
    Ok(Token {
        id: row::id(row, "id", TokenId::new)?,
        sha256: sha256.try_into().map_err(|_| damaged("a token's hash"))?,
        prefix: row::get(row, "prefix")?,
        name: row::get(row, "name")?,
        grant: Grant {
            space: space.map(|space| SpaceId::new(&space)).transpose().map_err(damaged)?,
            role: Role::parse(role).ok_or_else(|| damaged(format!("role {role:?}")))?,
        },
        created_at: row::at(row, "created_at")?,
        expires_at: row::maybe_at(row, "expires_at")?,
        revoked_at: row::maybe_at(row, "revoked_at")?,
    })
}

fn space(row: &PgRow) -> PortResult<Space> {
    let environments: Vec<String> = row::get(row, "environments")?;
    let environments = environments.iter().map(|name| EnvironmentId::new(name));
    Ok(Space {
        id: row::id(row, "id", SpaceId::new)?,
        name: row::get(row, "name")?,
        environments: environments.collect::<Result<_, _>>().map_err(damaged)?,
        created_at: row::at(row, "created_at")?,
    })
}

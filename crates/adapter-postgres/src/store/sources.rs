//! Sources.

use async_trait::async_trait;
use postrider_domain::id::{SourceId, SpaceId};
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_domain::webhook::Audit;
use postrider_ports::error::PortResult;
use postrider_ports::sources::Sources;
use sqlx::postgres::PgRow;

use crate::database::Database;
use crate::fault::fail;
use crate::row;

#[async_trait]
impl Sources for Database {
    async fn source(&self, space: &SpaceId, id: &SourceId) -> PortResult<Option<Source>> {
        let row = sqlx::query("SELECT * FROM sources WHERE space = $1 AND id = $2")
            .bind(space.as_str())
            .bind(id.as_str())
            .fetch_optional(self.pool())
            .await
            .map_err(fail("find a source"))?;
        row.as_ref().map(source).transpose()
    }

    async fn sources(&self, space: &SpaceId) -> PortResult<Vec<Source>> {
        let rows = sqlx::query("SELECT * FROM sources WHERE space = $1 ORDER BY id COLLATE \"C\"")
            .bind(space.as_str())
            .fetch_all(self.pool())
            .await
            .map_err(fail("list sources"))?;
        rows.iter().map(source).collect()
    }

    async fn put_source(&self, source: &Source) -> PortResult<()> {
        // The columns of its making are not among those that are replaced.
        sqlx::query(
            "INSERT INTO sources (space, id, name, dialect, secret, created_at, created_by, updated_at, updated_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (space, id) DO UPDATE SET name = excluded.name, dialect = excluded.dialect, \
             secret = excluded.secret, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        )
        .bind(source.space.as_str())
        .bind(source.id.as_str())
        .bind(&source.name)
        .bind(&source.dialect)
        .bind(source.secret.as_str())
        .bind(source.audit.created_at.unix_ms())
        .bind(&source.audit.created_by)
        .bind(source.audit.updated_at.unix_ms())
        .bind(&source.audit.updated_by)
        .execute(self.pool())
        .await
        .map_err(fail("store a source"))?;
        Ok(())
    }

    async fn reseal_source(
        &self,
        space: &SpaceId,
        id: &SourceId,
        from: &Sealed,
        to: &Sealed,
    ) -> PortResult<bool> {
        let done = sqlx::query("UPDATE sources SET secret = $1 WHERE space = $2 AND id = $3 AND secret = $4")
            .bind(to.as_str())
            .bind(space.as_str())
            .bind(id.as_str())
            .bind(from.as_str())
            .execute(self.pool())
            .await
            .map_err(fail("seal a source's secret anew"))?;
        Ok(done.rows_affected() > 0)
    }

    async fn delete_source(&self, space: &SpaceId, id: &SourceId) -> PortResult<bool> {
        let done = sqlx::query("DELETE FROM sources WHERE space = $1 AND id = $2")
            .bind(space.as_str())
            .bind(id.as_str())
            .execute(self.pool())
            .await
            .map_err(fail("delete a source"))?;
        Ok(done.rows_affected() > 0)
    }
}

fn source(row: &PgRow) -> PortResult<Source> {
    Ok(Source {
        id: row::id(row, "id", SourceId::new)?,
        space: row::id(row, "space", SpaceId::new)?,
        name: row::get(row, "name")?,
        dialect: row::get(row, "dialect")?,
        secret: Sealed::new(row::get::<String>(row, "secret")?),
        audit: Audit {
            created_at: row::at(row, "created_at")?,
            created_by: row::get(row, "created_by")?,
            updated_at: row::at(row, "updated_at")?,
            updated_by: row::get(row, "updated_by")?,
        },
    })
}

//! Sources.

use async_trait::async_trait;
use postrider_domain::id::{SourceId, SpaceId};
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_domain::webhook::Audit;
use postrider_ports::error::PortResult;
use postrider_ports::sources::Sources;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::access::id;
use crate::database::Database;
use crate::fault::port_error;
use crate::instant;
use crate::writer::step;

#[async_trait]
impl Sources for Database {
    async fn source(&self, space: &SpaceId, id: &SourceId) -> PortResult<Option<Source>> {
        let mut reader = self.reader("find a source").await?;
        let row = sqlx::query("SELECT * FROM sources WHERE space = ?1 AND id = ?2")
            .bind(space.as_str())
            .bind(id.as_str())
            .fetch_optional(&mut *reader)
            .await
            .map_err(|error| port_error("find a source", error))?;
        row.as_ref().map(source).transpose()
    }

    async fn sources(&self, space: &SpaceId) -> PortResult<Vec<Source>> {
        let mut reader = self.reader("list sources").await?;
        let rows = sqlx::query("SELECT * FROM sources WHERE space = ?1 ORDER BY id")
            .bind(space.as_str())
            .fetch_all(&mut *reader)
            .await
            .map_err(|error| port_error("list sources", error))?;
        rows.iter().map(source).collect()
    }

    async fn put_source(&self, source: &Source) -> PortResult<()> {
        let source = source.clone();
        let work = step(move |connection| {
            Box::pin(async move {
                // The columns of its making are not among those that are replaced.
                sqlx::query(
                    "INSERT INTO sources \
                     (space, id, name, dialect, secret, created_at, created_by, updated_at, updated_by) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
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
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        self.shared.writer.single("store a source", work).await
    }

    async fn reseal_source(
        &self,
        space: &SpaceId,
        id: &SourceId,
        from: &Sealed,
        to: &Sealed,
    ) -> PortResult<bool> {
        let (space, id, from, to) = (space.clone(), id.clone(), from.clone(), to.clone());
        let work = step(move |connection| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE sources SET secret = ?1 WHERE space = ?2 AND id = ?3 AND secret = ?4",
                )
                .bind(to.as_str())
                .bind(space.as_str())
                .bind(id.as_str())
                .bind(from.as_str())
                .execute(connection)
                .await?;
                Ok(done.rows_affected() > 0)
            })
        });
        self.shared.writer.single("seal a source's secret anew", work).await
    }

    async fn delete_source(&self, space: &SpaceId, id: &SourceId) -> PortResult<bool> {
        let (space, id) = (space.clone(), id.clone());
        let work = step(move |connection| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM sources WHERE space = ?1 AND id = ?2")
                    .bind(space.as_str())
                    .bind(id.as_str())
                    .execute(connection)
                    .await?;
                Ok(done.rows_affected() > 0)
            })
        });
        self.shared.writer.single("delete a source", work).await
    }
}

fn source(row: &SqliteRow) -> PortResult<Source> {
    let sql = |error| port_error("read a source", error);
    let text = |column: &str| row.try_get::<String, _>(column).map_err(sql);
    Ok(Source {
        id: id(row, "id", SourceId::new)?,
        space: id(row, "space", SpaceId::new)?,
        name: text("name")?,
        dialect: text("dialect")?,
        secret: Sealed::new(text("secret")?),
        audit: Audit {
            created_at: instant::at(row, "created_at").map_err(sql)?,
            created_by: text("created_by")?,
            updated_at: instant::at(row, "updated_at").map_err(sql)?,
            updated_by: text("updated_by")?,
        },
    })
}

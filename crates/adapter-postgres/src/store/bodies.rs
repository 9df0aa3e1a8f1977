//! Contents too large to travel with a message, by day and hash.

use async_trait::async_trait;
use postrider_domain::event::{BodyRef, Content};
use postrider_domain::timestamp::Day;
use postrider_ports::bodies::Bodies;
use postrider_ports::error::{PortError, PortResult};
use postrider_wire::Wire;
use sha2::{Digest, Sha256};

use crate::database::Database;
use crate::fault::{fail, undecodable};
use crate::row;

#[async_trait]
impl Bodies for Database {
    async fn put(&self, day: Day, content: &Content) -> PortResult<BodyRef> {
        let bytes = content.encode();
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let length = u32::try_from(bytes.len())
            .map_err(|_| PortError::permanent(format!("a content of {} bytes is too large", bytes.len())))?;
        self.ensure_days(std::iter::once(day)).await?;
        sqlx::query("INSERT INTO bodies (day, sha256, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(day.0)
            .bind(sha256.as_slice())
            .bind(bytes)
            .execute(self.pool())
            .await
            .map_err(fail("store a content"))?;
        Ok(BodyRef { day, sha256, length })
    }

    async fn get(&self, body: &BodyRef) -> PortResult<Content> {
        let row = sqlx::query("SELECT content FROM bodies WHERE day = $1 AND sha256 = $2")
            .bind(body.day.0)
            .bind(body.sha256.as_slice())
            .fetch_optional(self.pool())
            .await
            .map_err(fail("read a content"))?;
        let Some(row) = row else {
            return Err(PortError::permanent(format!("the content of {} is gone (retention)", body.day)));
        };
        let bytes: &[u8] = row::get(&row, "content")?;
        let found: [u8; 32] = Sha256::digest(bytes).into();
        if found != body.sha256 {
            let what =
                format!("the stored content of {} no longer has its hash; the database is damaged", body.day);
            return Err(PortError::permanent(what));
        }
        Content::decode(bytes).map_err(|error| undecodable("content", &error))
    }
}

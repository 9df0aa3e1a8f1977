//! How far deliveries have come: one query for all that are asked about.

use async_trait::async_trait;
use postrider_domain::delivery::Progress;
use postrider_ports::error::PortResult;
use postrider_ports::progress::{Asked, Progresses};

use super::rows;
use crate::database::Database;
use crate::fault::fail;
use crate::row;

#[async_trait]
impl Progresses for Database {
    async fn progress(&self, asked: &[Asked]) -> PortResult<Vec<Option<Progress>>> {
        let mut answers = vec![None; asked.len()];
        if asked.is_empty() {
            return Ok(answers);
        }
        let found = sqlx::query(
            "SELECT a.place, d.state, d.attempt \
             FROM unnest($1::int[], $2::bytea[]) WITH ORDINALITY AS a(day, id, place) \
             JOIN deliveries d ON d.day = a.day AND d.id = a.id",
        )
        .bind(asked.iter().map(|one| one.day.0).collect::<Vec<_>>())
        .bind(asked.iter().map(|one| one.id.0.as_bytes().to_vec()).collect::<Vec<_>>())
        .fetch_all(self.pool())
        .await
        .map_err(fail("look up deliveries"))?;
        for row in &found {
            // Ordinality counts from 1.
            let place: usize = row::number(row, "place")?;
            let state = rows::state(row::get(row, "state")?)?;
            if let Some(answer) = answers.get_mut(place - 1) {
                *answer = Some(Progress { state, attempt: row::number(row, "attempt")? });
            }
        }
        Ok(answers)
    }
}

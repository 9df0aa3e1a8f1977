//! How far deliveries have come: one query for all that are asked about.

use async_trait::async_trait;
use postrider_domain::delivery::Progress;
use postrider_ports::error::PortResult;
use postrider_ports::progress::{Asked, Progresses};
use serde_json::json;

use super::rows;
use crate::database::Database;
use crate::fault::port_error;

#[async_trait]
impl Progresses for Database {
    async fn progress(&self, asked: &[Asked]) -> PortResult<Vec<Option<Progress>>> {
        let mut answers = vec![None; asked.len()];
        if asked.is_empty() {
            return Ok(answers);
        }
        let list: Vec<_> =
            asked.iter().map(|one| json!([one.day.0, one.id.0.simple().to_string()])).collect();
        let mut reader = self.reader("look up deliveries").await?;
        let found = sqlx::query(
            "SELECT j.key AS place, d.state, d.attempt FROM json_each(?1) j \
             CROSS JOIN deliveries d ON d.day = j.value ->> 0 AND d.id = unhex(j.value ->> 1)",
        )
        .bind(serde_json::Value::from(list).to_string())
        .fetch_all(&mut *reader)
        .await
        .map_err(|error| port_error("look up deliveries", error))?;
        for row in &found {
            let place = usize::try_from(rows::get::<i64>(row, "place")?).map_err(rows::damaged)?;
            let state = rows::state(rows::get(row, "state")?)?;
            if let Some(answer) = answers.get_mut(place) {
                *answer = Some(Progress { state, attempt: rows::get(row, "attempt")? });
            }
        }
        Ok(answers)
    }
}

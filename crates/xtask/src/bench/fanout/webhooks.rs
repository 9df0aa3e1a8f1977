//! A space with more webhooks than are made one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench::http::{Connection, request};
use crate::bench::system::System;

/// Side by side.
const CONNECTIONS: usize = 8;

/// Makes a space whose every event goes to each of these URLs.
pub(super) async fn space(system: &System, space: &str, urls: Vec<String>) -> Result<()> {
    system.space(space, &[]).await?;
    let (urls, next) = (Arc::new(urls), Arc::new(AtomicUsize::new(0)));
    let mut makers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (urls, next, api) = (Arc::clone(&urls), Arc::clone(&next), system.api.clone());
        let path = format!("/spaces/{space}/webhook_definitions");
        makers.spawn(async move {
            let mut connection = Connection::open(api.address).await?;
            while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
                let webhook = json!({ "name": url, "url": url, "topics": ["*.*"] }).to_string();
                let answer = connection.send(&request("POST", &path, &api.authorization, &webhook)).await?;
                let said = String::from_utf8_lossy(&answer.body);
                ensure!(
                    matches!(answer.status, 200 | 201),
                    "a webhook was not made: {} {said}",
                    answer.status
                );
            }
            Ok(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made.context("a maker panicked")??;
    }
    Ok(())
}

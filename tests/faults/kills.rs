//! SIGKILL and restart of each service, in the middle of the load.

use postrider_testkit::servers::full;

use crate::stage::{FLOWING, Stage};

/// How often a story kills.
pub(crate) fn times() -> usize {
    if full() { 3 } else { 1 }
}

async fn a_killed(service: &'static str, story: &'static str) {
    let mut stage = Stage::start(story).await;
    stage.load(FLOWING).await;
    for _ in 0..times() {
        stage.kill(service, 0).await;
        stage.flow(FLOWING).await;
        stage.start_one(service, &[]).await;
        stage.recover().await;
    }
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatcher_that_is_killed_loses_nothing() {
    a_killed("dispatcher", "kill-dispatcher").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_that_is_killed_loses_nothing() {
    a_killed("ingest", "kill-ingest").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_writer_that_is_killed_loses_nothing() {
    a_killed("log-writer", "kill-log-writer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_killed_lose_nothing() {
    a_killed("jobs", "kill-jobs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_killed_loses_nothing() {
    a_killed("api", "kill-api").await;
}

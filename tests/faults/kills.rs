//! SIGKILL and restart of each service, in the middle of the load.

use crate::stage::{FLOWING, Stage};

async fn a_killed(service: &'static str, story: &'static str) {
    let mut stage = Stage::start(story).await;
    stage.load(FLOWING).await;
    stage.kill(service, 0).await;
    stage.flow(FLOWING).await;
    stage.start_one(service, &[]).await;
    stage.recover().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatcher_that_is_killed_loses_nothing() {
    a_killed("dispatcher", "kill-dispatcher").await;
}

//! Every process and every server is killed at the same instant and brought back.

use crate::kills::times;
use crate::stage::{CREW, FLOWING, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn everything_killed_at_once_comes_back_and_loses_nothing() {
    let mut stage = Stage::start("all-at-once").await;
    stage.load(FLOWING).await;
    for _ in 0..times() {
        stage.kill_everything().await;
        stage.own.start_all().await;
        for &(service, count) in CREW {
            for _ in 0..count {
                stage.start_one(service, &[]).await;
            }
        }
        stage.recover().await;
        stage.flow(FLOWING).await;
    }
    stage.audit().await;
}

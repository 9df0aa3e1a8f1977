//! Redis is killed, forgets, hangs or is gone for a minute, for all or for one dispatcher. It holds only what can be rebuilt:
//! nothing is lost, and deliveries go on without it.
//!
//! **What may be repeated: nothing**, as long as no dispatcher dies. A call is made again only by a second copy of its
//! message: one that the broker hands out again, for which a process or its connection must die, or one that ingest
//! published again, for which a publisher must have missed an answer. A missing mark makes no copy. It matters when there is
//! one: then Postgres is asked, which knows what the log-writer has committed, and not what is on its way to it. So with a
//! dispatcher killed beside it, all that was in its hands may be repeated, and no more.

use futures::future::join;
use postrider_testkit::relay::Relay;

use crate::composition::{Crew, can_work};
use crate::stage::{FLOWING, Stage, outage};

/// A crew whose other dispatcher the story starts.
const ONE_DISPATCHER: &Crew = &[("ingest", 2), ("dispatcher", 1), ("log-writer", 2), ("jobs", 1), ("api", 1)];

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_comes_back_empty_costs_nothing() {
    let mut stage = Stage::start("redis-killed").await;
    stage.load(FLOWING).await;
    stage.own.kill_redis().await;
    stage.flow(FLOWING).await;
    stage.own.start_redis().await;
    stage.recover().await;
    stage.flow(FLOWING).await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_flushed_under_load_costs_nothing() {
    let mut stage = Stage::start("redis-flushed").await;
    stage.load(FLOWING).await;
    for _ in 0..5 {
        stage.own.redis().command("FLUSHALL").await.expect("it forgets");
        stage.flow(FLOWING / 5).await;
    }
    stage.recover().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_for_a_minute_everything_goes_on() {
    let mut stage = Stage::start("redis-gone").await;
    stage.load(FLOWING).await;
    stage.own.kill_redis().await;
    join(outage(), stage.flow(FLOWING)).await;
    stage.own.start_redis().await;
    stage.recover().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_for_a_minute_slows_and_loses_nothing() {
    let mut stage = Stage::start("redis-hangs").await;
    stage.load(FLOWING).await;
    // It takes connections and commands, and answers nothing.
    stage.own.redis().signal("STOP");
    join(outage(), stage.flow(FLOWING)).await;
    stage.own.redis().signal("CONT");
    stage.recover().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dispatcher_cut_off_from_redis_goes_on_and_takes_over_from_one_that_dies() {
    let mut stage = Stage::with("redis-cut-off-one", ONE_DISPATCHER, &[]).await;
    let url = stage.own.redis().url();
    let relay = Relay::before(&url).await.expect("a relay");
    stage.start_one("dispatcher", &[("POSTRIDER__REDIS__URL", &relay.url(&url))]).await;
    can_work(stage.of("dispatcher")[1]).await;
    stage.load(FLOWING).await;
    relay.refuse().await;
    stage.flow(FLOWING).await;
    // What it had in hand goes to the one that sees no marks.
    stage.kill("dispatcher", 0).await;
    stage.flow(FLOWING).await;
    relay.restore().await;
    stage.start_one("dispatcher", &[]).await;
    stage.recover().await;
    stage.audit().await;
}

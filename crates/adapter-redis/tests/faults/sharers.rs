//! A rate limit over several workers: together they never exceed it, with the server and without.

use std::time::Duration;

use postrider_adapter_redis::{Redis, RedisRates};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::clock::Clock;
use postrider_ports::limits::Rates;
use postrider_testkit::builders::{space, webhook_id};
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use crate::Bench;

/// Drawn anew by every run.
const CASES: usize = 24;

/// Workers with connections of their own, as processes have.
fn workers(bench: &Bench, how_many: usize) -> Vec<RedisRates> {
    let mut workers = Vec::new();
    for _ in 0..how_many {
        let redis = Redis::new(&bench.server.url()).expect("its URL");
        workers.push(RedisRates::new(redis, bench.clock.clone()));
    }
    workers
}

/// Each asks once, so that all know how many they are.
async fn meet(bench: &Bench, workers: &[RedisRates], limit: RateLimit, webhook: &str) {
    for _ in 0..2 {
        for worker in workers {
            worker.lease(&space("s"), &webhook_id(webhook), limit, 0).await.expect("the server is there");
        }
    }
    bench.clock.advance(limit.per);
}

/// Lets them ask as `asks` says: who, how much, and how long after the one before. Every grant with its instant.
async fn grants(
    bench: &Bench,
    workers: &[RedisRates],
    limit: RateLimit,
    webhook: &str,
    asks: &[(usize, u32, u64)],
) -> Vec<(Timestamp, u32)> {
    let mut grants = Vec::new();
    for (who, wanted, pause_ms) in asks {
        bench.clock.advance(Duration::from_millis(*pause_ms));
        let worker = &workers[who % workers.len()];
        let leased = worker.lease(&space("s"), &webhook_id(webhook), limit, *wanted).await;
        grants.push((bench.clock.now(), leased.expect("an answer, with the server or without").granted));
    }
    grants
}

/// The most that any window of the limit's length saw.
fn most_in_a_window(limit: RateLimit, grants: &[(Timestamp, u32)]) -> u32 {
    let from = |start: usize| {
        let end = grants[start].0.plus(limit.per);
        grants[start..].iter().take_while(|(at, _)| *at < end).map(|(_, granted)| granted).sum()
    };
    (0..grants.len()).map(from).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_workers_lease_no_window_sees_more_than_the_limit() {
    let mut bench = Bench::start().await;
    let asks = vec((0_usize..8, 1_u32..60, 0_u64..120), 120);
    let cases = (1_usize..=8, 8_u32..300, 200_u64..3000, asks);
    let mut runner = TestRunner::new(Config::default());
    // Drawn at once: the same cases are told to the server and, after it is gone, to each worker alone.
    let drawn = std::iter::repeat_with(|| cases.new_tree(&mut runner).expect("a case").current());
    let drawn: Vec<_> = drawn.take(CASES).collect();
    let mut shared = Vec::new();
    for (case, (how_many, calls, per_ms, asks)) in drawn.iter().enumerate() {
        let limit = RateLimit { calls: *calls, per: Duration::from_millis(*per_ms) };
        let (workers, webhook) = (workers(&bench, *how_many), format!("w{case}"));
        meet(&bench, &workers, limit, &webhook).await;
        let with = grants(&bench, &workers, limit, &webhook, asks).await;
        let most = most_in_a_window(limit, &with);
        assert!(most <= *calls, "{how_many} workers, {limit:?}: {most} calls in a window\n{with:?}");
        // Everybody has leased within the time for which a worker counts.
        meet(&bench, &workers, limit, &webhook).await;
        shared.push((limit, workers, webhook, asks, with));
    }
    bench.server.stop().await;
    for (limit, workers, webhook, asks, _) in &shared {
        let without = grants(&bench, workers, *limit, webhook, asks).await;
        let most = most_in_a_window(*limit, &without);
        assert!(most <= limit.calls, "{} workers alone, {limit:?}: {most} calls", workers.len());
    }
    assert!(shared.iter().all(|(.., with)| with.iter().any(|(_, granted)| *granted > 0)), "all get some");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_four_workers_get_most_of_the_limit_together() {
    let mut bench = Bench::start().await;
    let limit = RateLimit { calls: 40, per: Duration::from_secs(1) };
    let workers = workers(&bench, 4);
    meet(&bench, &workers, limit, "w").await;
    bench.server.stop().await;
    // Ten seconds, each worker 20 times a second.
    let asks: Vec<(usize, u32, u64)> =
        (0..800).map(|at| (at % 4, 100, if at % 4 == 0 { 50 } else { 0 })).collect();
    let granted: u32 =
        grants(&bench, &workers, limit, "w", &asks).await.iter().map(|(_, granted)| granted).sum();
    assert!((300..=400).contains(&granted), "{granted} of 400 calls in ten seconds");
}

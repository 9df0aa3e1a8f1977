//! A changed webhook is obeyed by every worker with its next look, of which there is one every 500 ms, whatever is lost.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use postrider_adapter_redis::{Announced, RedisSubscriptions};
use postrider_domain::webhook::Webhook;
use postrider_ports::registry::Registry;
use postrider_ports::subscriptions::Subscriptions;

use super::Bench;
use super::cache::{named, names};

/// Between two looks of a worker (DESIGN §4.5).
const LOOK: Duration = Duration::from_millis(500);

/// Three workers that have seen the webhook as it was.
async fn three(bench: &Bench) -> Vec<(Arc<RedisSubscriptions>, u64)> {
    bench.store.create(&named("Old", 0)).await.expect("it is new");
    let mut workers = Vec::new();
    for _ in 0..3 {
        let worker = Arc::new(bench.worker());
        assert_eq!(names(&worker).await, ["Old"]);
        let version = worker.version().await.expect("both are there");
        workers.push((worker, version));
    }
    workers
}

/// What each worker does with a look.
async fn all_obey(workers: &[(Arc<RedisSubscriptions>, u64)]) {
    for (worker, before) in workers {
        assert!(worker.version().await.expect("both are there") > *before);
        let changes = worker.changes_since(*before).await.expect("both are there");
        let forms: Vec<&Webhook> = changes.webhooks().filter_map(|one| one.2).collect();
        assert!(changes.incomplete || forms.iter().any(|form| form.name == "New"), "{changes:?}");
        assert_eq!(names(worker).await, ["New"]);
    }
}

#[tokio::test]
async fn when_every_hint_is_lost_the_next_look_finds_what_was_announced() {
    let bench = Bench::start().await;
    let workers = three(&bench).await;
    let listening = workers.iter().map(|(worker, _)| {
        let worker = Arc::clone(worker);
        tokio::spawn(async move { worker.listen().await })
    });
    let listening: Vec<_> = listening.collect();
    // The server forgets who listened; nobody listens again before the controlled clock moves.
    while bench.listeners().await != 3 {
        tokio::task::yield_now().await;
    }
    bench.type_in(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(bench.listeners().await, 0);
    let announced = Announced::new(Arc::clone(&bench.store), Arc::new(bench.worker()));
    announced.update(&named("New", 1), 0).await.expect("it is there");
    // Not even the time of a look passes: the announcement reached what everybody looks at.
    all_obey(&workers).await;
    for task in listening {
        task.abort();
    }
}

#[tokio::test]
async fn when_the_announcement_is_lost_too_the_next_look_compares_with_the_truth() {
    let bench = Bench::start().await;
    let workers = three(&bench).await;
    bench.store.update(&named("New", 1), 0).await.expect("it is there");
    for (worker, before) in &workers {
        assert_eq!(worker.version().await.expect("both are there"), *before, "asked of the cache alone");
    }
    bench.clock.advance(LOOK);
    all_obey(&workers).await;
}

#[tokio::test]
async fn a_hint_of_the_truth_compares_at_once() {
    let bench = Bench::start().await;
    let workers = three(&bench).await;
    let mut hints: Vec<_> = workers.iter().map(|(worker, _)| Box::pin(worker.hint())).collect();
    for hint in &mut hints {
        assert!(hint.now_or_never().is_none());
    }
    bench.store.update(&named("New", 1), 0).await.expect("it is there");
    for hint in hints {
        hint.await;
    }
    all_obey(&workers).await;
}

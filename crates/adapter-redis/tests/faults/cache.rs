//! The cache of webhooks: what was published is seen, what was not is found, what was lost comes from the truth.

use std::sync::Arc;

use postrider_adapter_redis::{Announced, RedisSubscriptions, TRUTH_EVERY};
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::{Disabled, DisabledBy, Webhook};
use postrider_ports::access::Spaces;
use postrider_ports::registry::{Disable, Registry};
use postrider_ports::subscriptions::{Change, Subscriptions};
use postrider_testkit::START;
use postrider_testkit::builders::{SPACE, space, webhook, webhook_id};

use super::{Bench, assert_away};

fn gone() -> Disabled {
    Disabled { by: DisabledBy::Gone, at: START, reason: "410".to_owned() }
}

pub(crate) fn named(name: &str, version: u64) -> Webhook {
    webhook("w").name(name).version(version).build()
}

/// The names of the webhooks that a worker would match in the space now.
pub(crate) async fn names(worker: &RedisSubscriptions) -> Vec<String> {
    let snapshot = worker.load(&space(SPACE)).await.expect("the store is there");
    snapshot.webhooks.into_iter().map(|one| one.name).collect()
}

#[tokio::test]
async fn a_published_change_is_seen_by_every_worker_with_its_next_look() {
    let bench = Bench::start().await;
    let workers = [bench.worker(), bench.worker(), bench.worker()];
    bench.store.create(&named("Old", 0)).await.expect("it is new");
    let mut versions = Vec::new();
    for worker in &workers {
        assert_eq!(names(worker).await, ["Old"]);
        versions.push(worker.version().await.expect("both are there"));
    }
    bench.store.update(&named("New", 1), 0).await.expect("it is there");
    bench.worker().published().await.expect("both are there");
    for (worker, before) in workers.iter().zip(versions) {
        assert!(worker.version().await.expect("both are there") > before);
        let changes = worker.changes_since(before).await.expect("both are there");
        let changed: Vec<_> = changes.webhooks().map(|(.., form)| form.map(|one| &*one.name)).collect();
        assert_eq!((changed, changes.incomplete), (vec![Some("New")], false));
        assert_eq!(names(worker).await, ["New"]);
    }
}

#[tokio::test]
async fn a_change_that_nobody_published_is_found_by_comparing() {
    let bench = Bench::start().await;
    let worker = bench.worker();
    bench.store.create(&named("Old", 0)).await.expect("it is new");
    let before = worker.version().await.expect("both are there");
    bench.store.update(&named("New", 1), 0).await.expect("it is there");
    assert_eq!(worker.version().await.expect("both are there"), before, "asked of the cache alone");
    bench.clock.advance(TRUTH_EVERY);
    assert!(worker.version().await.expect("both are there") > before);
    assert_eq!(names(&worker).await, ["New"]);
}

#[tokio::test]
async fn without_the_server_the_truth_answers_and_what_changed_meanwhile_is_not_lost() {
    let mut bench = Bench::start().await;
    let worker = bench.worker();
    bench.store.create(&named("Old", 0)).await.expect("it is new");
    let before = worker.version().await.expect("both are there");
    assert_eq!(names(&worker).await, ["Old"]);
    bench.server.stop().await;
    bench.store.update(&named("New", 1), 0).await.expect("it is there");
    assert_away(&worker.published().await.expect_err("nobody is there"), &bench.server);
    let now = worker.version().await.expect("the store is there");
    assert!(now > before);
    assert_eq!(worker.changes_since(before).await.expect("the store is there").changed.len(), 1);
    assert_eq!(names(&worker).await, ["New"]);
    bench.server.start_again().await.expect("it starts again");
    assert_eq!(worker.version().await.expect("both are there"), now);
    assert_eq!(names(&worker).await, ["New"]);
}

#[tokio::test]
async fn a_cache_that_lost_a_part_or_belongs_to_another_store_begins_anew() {
    for damage in [
        &["FLUSHALL"][..],
        &["DEL", "postrider:{*}:changes2"],
        &["DEL", "postrider:{*}:changes2:forms"],
        &["HSET", "postrider:{*}:changes2:state", "version", "900000"],
        &["SET", "postrider:{default}:webhooks2", "not ours"],
        &["HSET", "postrider:{default}:webhooks2", "w", "not ours"],
    ] {
        let bench = Bench::start().await;
        let worker = bench.worker();
        worker.published().await.expect("both are there");
        bench.store.create(&named("Old", 0)).await.expect("it is new");
        worker.published().await.expect("both are there");
        let before = worker.version().await.expect("both are there");
        names(&worker).await;
        bench.type_in(damage).await;
        bench.store.update(&named("New", 1), 0).await.expect("it is there");
        // Published or not, the next comparison mends it.
        bench.clock.advance(TRUTH_EVERY);
        let now = worker.version().await.expect("both are there");
        assert_eq!(now, bench.store.version().await.expect("it is there"), "{damage:?}");
        let changes = worker.changes_since(before).await.expect("both are there");
        let is_told = changes.incomplete || changes.webhooks().any(|(_, id, _)| *id == webhook_id("w"));
        assert!(is_told, "{damage:?}: {changes:?}");
        assert_eq!(names(&bench.worker()).await, ["New"], "{damage:?}");
    }
}

#[tokio::test]
async fn of_many_who_publish_at_once_no_change_is_lost() {
    let bench = Bench::start().await;
    let reader = bench.worker();
    reader.published().await.expect("both are there");
    let before = reader.version().await.expect("both are there");
    let mut publishers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (store, worker) = (Arc::clone(&bench.store), bench.worker());
        publishers.spawn(async move {
            store.create(&webhook(&format!("w{number}")).build()).await?;
            worker.published().await
        });
    }
    while let Some(done) = publishers.join_next().await {
        done.expect("no panic").expect("both are there");
    }
    let changes = reader.changes_since(before).await.expect("both are there");
    assert_eq!((changes.changed.len(), changes.incomplete), (40, false));
    assert_eq!(names(&bench.worker()).await.len(), 40);
}

#[tokio::test]
async fn who_is_too_far_behind_asks_the_truth() {
    let bench = Bench::start().await;
    let worker = bench.worker();
    worker.published().await.expect("both are there");
    for number in 0..1100 {
        bench.store.create(&webhook(&format!("w{number}")).build()).await.expect("it is new");
        if number % 50 == 49 {
            worker.published().await.expect("both are there");
        }
    }
    for (since, missed) in [(0, 1100), (1000, 100)] {
        let changes = worker.changes_since(since).await.expect("both are there");
        assert_eq!((changes.changed.len(), changes.incomplete), (missed, false), "since {since}");
    }
    assert_eq!(names(&worker).await.len(), 1100);
    let mut terminal = bench.terminal().await;
    let kept: usize = redis::cmd("ZCARD")
        .arg("postrider:{*}:changes2")
        .query_async(&mut terminal)
        .await
        .expect("the server tells");
    assert_eq!(kept, 1000);
}

#[tokio::test]
async fn an_announced_store_changes_webhooks_and_says_so_also_while_nobody_hears_it() {
    let mut bench = Bench::start().await;
    let announced = Announced::new(Arc::clone(&bench.store), Arc::new(bench.worker()));
    let worker = bench.worker();
    let mut before = worker.version().await.expect("both are there");
    announced.create(&named("Made", 0)).await.expect("it is new");
    for version in 1..4 {
        let now = worker.version().await.expect("both are there");
        assert!(now > before, "change {version} was announced");
        before = now;
        let done = match version {
            1 => announced.update(&named("Changed", 1), 0).await.is_ok(),
            2 => announced.disable(&space(SPACE), &webhook_id("w"), &gone()).await.expect("it is there"),
            _ => announced.delete(&space(SPACE), &webhook_id("w"), None).await.is_ok(),
        };
        assert!(done);
    }
    assert!(worker.version().await.expect("both are there") > before);
    bench.server.stop().await;
    announced.create(&named("Unheard", 0)).await.expect("the store is there");
    assert_eq!(names(&worker).await, ["Unheard"]);
}

#[tokio::test]
async fn foreign_data_under_every_key_of_the_cache_hides_no_change() {
    let keys = ["changes", "changes:state", "changes:forms"].map(|part| format!("postrider:{{*}}:{part}"));
    for key in keys.into_iter().chain(["postrider:{default}:webhooks2".to_owned()]) {
        for foreign in [["SET", &key, "gibberish"], ["RPUSH", &key, "x"]] {
            let bench = Bench::start().await;
            let worker = bench.worker();
            bench.store.create(&named("Old", 0)).await.expect("it is new");
            worker.published().await.expect("both are there");
            assert_eq!(names(&worker).await, ["Old"]);
            let before = worker.version().await.expect("both are there");
            bench.type_in(&["DEL", &key]).await;
            bench.type_in(&foreign).await;
            bench.store.update(&named("New", 1), 0).await.expect("it is there");
            bench.clock.advance(TRUTH_EVERY);
            assert!(worker.version().await.expect("the store is there") > before, "{foreign:?}");
            let changes = worker.changes_since(before).await.expect("the store is there");
            assert!(changes.incomplete || changes.changed.len() == 1, "{foreign:?}: {changes:?}");
            assert_eq!(names(&worker).await, ["New"], "{foreign:?}");
        }
    }
}

fn retried(times: u32, version: u64) -> SpaceSettings {
    SpaceSettings { version, max_retries: Some(times), ..SpaceSettings::default() }
}

#[tokio::test]
async fn settings_that_are_not_in_the_cache_come_from_the_truth_and_are_cached() {
    let bench = Bench::start().await;
    let worker = bench.worker();
    worker.published().await.expect("both are there");
    bench.store.create(&named("Hook", 0)).await.expect("it is new");
    assert!(bench.store.put_settings(&space(SPACE), &retried(5, 1), 0).await.expect("it is there"));
    worker.published().await.expect("both are there");
    assert_eq!(names(&worker).await, ["Hook"]);
    // A release that knows no settings would have written it so.
    bench.type_in(&["HDEL", "postrider:{default}:webhooks2", "#settings"]).await;
    for looked in ["the truth", "the cache"] {
        let snapshot = bench.worker().load(&space(SPACE)).await.expect("both are there");
        assert_eq!(snapshot.settings, retried(5, 1), "from {looked}");
        assert_eq!(snapshot.webhooks.len(), 1, "from {looked}");
        let cached = bench.type_in(&["HEXISTS", "postrider:{default}:webhooks2", "#settings"]).await;
        assert_eq!(cached, redis::Value::Int(1), "after {looked}");
    }
}

#[tokio::test]
async fn changed_settings_are_seen_by_every_worker_with_its_next_look() {
    let bench = Bench::start().await;
    let workers = [bench.worker(), bench.worker()];
    let mut versions = Vec::new();
    for worker in &workers {
        worker.published().await.expect("both are there");
        versions.push(worker.version().await.expect("both are there"));
        let before = worker.load(&space(SPACE)).await.expect("both are there").settings;
        assert_eq!(before, SpaceSettings::default());
    }
    let announced = Announced::new(Arc::clone(&bench.store), Arc::new(bench.worker()));
    assert!(announced.put_settings(&space(SPACE), &retried(7, 1), 0).await.expect("both are there"));
    for (worker, before) in workers.iter().zip(versions) {
        assert!(worker.version().await.expect("both are there") > before);
        let changes = worker.changes_since(before).await.expect("both are there");
        let settings = Change::Settings(Box::new(retried(7, 1)));
        assert_eq!((changes.changed, changes.incomplete), (vec![(space(SPACE), settings)], false));
        let loaded = worker.load(&space(SPACE)).await.expect("both are there").settings;
        assert_eq!(loaded, retried(7, 1));
    }
}

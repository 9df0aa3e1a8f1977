//! How fast the queue takes messages in and hands them out, every batch synced to the disk. The aim is 10,000 a second
//! each way (batches of 100, messages of about 1 KiB).

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use postrider_adapter_sqlite::{Database, Settings};
use postrider_domain::message::{EventMessage, Queue};
use postrider_ports::queue::{Consumers, Outgoing, Publish};
use postrider_testkit::ManualClock;
use postrider_testkit::builders::{event, outgoing};
use tokio::runtime::Runtime;

/// Messages of one batch.
const BATCH: u32 = 100;
/// Batches that are under way at the same time, as from several publishers.
const PUBLISHERS: u32 = 4;

fn batch() -> Vec<Outgoing<EventMessage>> {
    let data = format!("\"{}\"", "x".repeat(700));
    let one = |n: u32| outgoing(event("Entry.publish").id(&n.to_string()).data(&data).message());
    (0..BATCH).map(one).collect()
}

fn queue(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new());
    let (database, driver) =
        runtime.block_on(Database::open(&Settings::new(dir.path()), clock)).expect("opens");
    let driver = runtime.spawn(driver.run());

    let mut group = criterion.benchmark_group("queue");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    group.bench_function("publish 100, alone", |bencher| {
        bencher.iter_batched(
            batch,
            |batch| runtime.block_on(database.publish(batch)).expect("published"),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(u64::from(BATCH * PUBLISHERS)));
    group.bench_function("publish 100, four at once", |bencher| {
        bencher.iter_batched(
            || (0..PUBLISHERS).map(|_| batch()).collect::<Vec<_>>(),
            |batches| {
                let published =
                    runtime.block_on(join_all(batches.into_iter().map(|batch| database.publish(batch))));
                assert!(published.iter().all(Result::is_ok));
            },
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    let mut consumer = Consumers::<EventMessage>::consumer(&database, Queue::Events);
    group.bench_function("claim 100 and acknowledge each", |bencher| {
        bencher.iter_batched(
            || runtime.block_on(database.publish(batch())).expect("published"),
            |()| {
                let acked = runtime.block_on(async {
                    let received = consumer.receive(BATCH as usize).await.expect("received");
                    join_all(received.into_iter().map(|one| one.lease.ack())).await
                });
                assert_eq!(acked.iter().filter(|one| one.is_ok()).count(), BATCH as usize);
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    drop(consumer);
    runtime.block_on(async {
        database.close().await;
        driver.await.expect("the driver ends");
    });
}

criterion_group!(benches, queue);
criterion_main!(benches);

//! A batch waits a moment for what comes, and neither a full one nor a stop waits.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt;
use postrider_domain::message::{Queue, RecordsMessage};
use postrider_domain::record::Record;
use postrider_log_writer::{Deps, Settings, run};
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{LogWrite, Poisoned};
use postrider_ports::queue::{Depth, Depths, Publish};
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::ManualClock;
use postrider_testkit::builders::{call, event, outgoing};
use postrider_testkit::queue::MemoryQueue;

/// The sizes of the batches written.
#[derive(Default)]
struct Sizes(Mutex<Vec<usize>>);

impl Sizes {
    fn are(&self) -> Vec<usize> {
        self.0.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl LogWrite for Sizes {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        self.0.lock().expect("no panic").push(batch.len());
        Ok(Vec::new())
    }
}

struct World {
    clock: Arc<ManualClock>,
    queue: MemoryQueue,
    log: Arc<Sizes>,
    shutdown: Shutdown,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let queue = MemoryQueue::new(clock.clone());
        Self { clock, queue, log: Arc::default(), shutdown: Shutdown::new() }
    }

    async fn publish(&self, records: u32) {
        let event = event("Entry.publish").carried();
        let records = (1..=records).map(|attempt| call(&event, "w1", attempt).record()).collect();
        self.queue.publish(vec![outgoing(RecordsMessage { records })]).await.expect("stored");
    }

    fn run(&self) -> impl Future<Output = Result<(), PortError>> + use<> {
        let deps = Deps {
            records: Arc::new(self.queue.clone()),
            log: self.log.clone(),
            clock: self.clock.clone(),
            health: Health::new(self.shutdown.clone()).component("log-writer"),
        };
        run(Settings::default(), deps, self.shutdown.clone())
    }

    async fn depth(&self) -> Depth {
        self.queue.depth(Queue::Records).await.expect("a depth")
    }
}

#[tokio::test]
async fn what_comes_within_the_time_of_a_batch_is_written_with_it() {
    let world = World::new();
    let mut running = Box::pin(world.run());
    for _ in 0..5 {
        world.publish(2).await;
        assert!((&mut running).now_or_never().is_none());
        assert_eq!(world.log.are(), [0; 0]);
    }
    assert_eq!(world.clock.someone_sleeps().await, world.clock.now().plus(Settings::default().linger));
    world.clock.advance(Settings::default().linger);
    assert!((&mut running).now_or_never().is_none());
    assert_eq!((world.log.are(), world.depth().await), (vec![10], Depth::default()));
    // The next batch has a time of its own, from its first message on.
    world.publish(3).await;
    assert!((&mut running).now_or_never().is_none());
    assert_eq!(world.log.are(), [10]);
}

#[tokio::test]
async fn a_batch_that_is_large_enough_does_not_wait() {
    let (by_records, by_messages) = (World::new(), World::new());
    for _ in 0..10 {
        by_records.publish(50).await;
    }
    for _ in 0..60 {
        by_messages.publish(1).await;
    }
    for (world, size) in [(by_records, 500), (by_messages, 60)] {
        let mut running = Box::pin(world.run());
        assert!((&mut running).now_or_never().is_none());
        assert_eq!(world.log.are(), [size]);
    }
}

#[tokio::test]
async fn asked_to_stop_it_writes_what_it_has_at_once() {
    let world = World::new();
    let mut running = Box::pin(world.run());
    world.publish(2).await;
    assert!((&mut running).now_or_never().is_none());
    world.shutdown.begin();
    running.now_or_never().expect("no time passes").expect("it ends");
    assert_eq!((world.log.are(), world.depth().await), (vec![2], Depth::default()));
}

//! The promises that every adapter of these ports makes, kept by this one over a real broker.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use postrider_adapter_amqp::{Amqp, Settings, Status};
use postrider_ports::clock::Clock;
use postrider_ports::reconcile::BrokerEpoch;
use postrider_testkit::conformance::queue::QueueAdapter;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::servers::{self, rabbitmq};
use postrider_testkit::{ManualClock, RealClock, SeededRandom};

/// Makes adapters, each on a virtual host of its own.
#[derive(Default)]
struct VirtualHosts(Mutex<Option<(Arc<Amqp>, String)>>);

async fn open(url: &str, clock: Arc<dyn Clock>) -> Arc<Amqp> {
    let (amqp, driver) = Amqp::new(Settings::new(url), clock, Arc::new(SeededRandom::new(7)));
    tokio::spawn(driver.run());
    amqp.status().wait_for(|status| *status == Status::Ready).await.expect("the driver runs");
    Arc::new(amqp)
}

impl VirtualHosts {
    fn replace(&self, new: Option<(Arc<Amqp>, String)>) -> Option<(Arc<Amqp>, String)> {
        std::mem::replace(&mut self.0.lock().expect("no panic"), new)
    }
}

#[async_trait]
impl Harness<dyn QueueAdapter> for VirtualHosts {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn QueueAdapter> {
        if let Some((last, _)) = self.replace(None) {
            last.close().await;
        }
        let url = rabbitmq::vhost().await;
        let amqp = open(&url, clock).await;
        self.replace(Some((Arc::clone(&amqp), url)));
        amqp
    }

    // To the broker a killed process is one whose connections ended.
    async fn reopen(
        &self,
        _: Arc<dyn QueueAdapter>,
        clock: Arc<ManualClock>,
    ) -> Option<Arc<dyn QueueAdapter>> {
        let (last, url) = self.replace(None).expect("opened before");
        last.close().await;
        let amqp = open(&url, clock).await;
        self.replace(Some((Arc::clone(&amqp), url)));
        Some(amqp)
    }

    fn behind_a_broker(&self) -> bool {
        true
    }
}

struct Epochs(VirtualHosts);

#[async_trait]
impl Harness<dyn BrokerEpoch> for Epochs {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn BrokerEpoch> {
        drop(Harness::<dyn QueueAdapter>::fresh(&self.0, clock).await);
        self.present()
    }

    async fn reopen(
        &self,
        on: Arc<dyn BrokerEpoch>,
        clock: Arc<ManualClock>,
    ) -> Option<Arc<dyn BrokerEpoch>> {
        drop(on);
        let (last, url) = self.0.replace(None).expect("opened before");
        last.close().await;
        let amqp = open(&url, clock).await;
        self.0.replace(Some((Arc::clone(&amqp), url)));
        Some(amqp)
    }
}

impl Epochs {
    fn present(&self) -> Arc<dyn BrokerEpoch> {
        let (amqp, _) = self.0.0.lock().expect("no panic").clone().expect("opened before");
        amqp
    }
}

#[tokio::test]
async fn the_epoch() {
    conformance::epoch::run(&Epochs(VirtualHosts::default())).await;
}

#[tokio::test]
async fn the_queues() {
    conformance::queue::run(&VirtualHosts::default()).await;
}

#[tokio::test]
async fn parked_messages() {
    conformance::parked::run(&VirtualHosts::default()).await;
}

#[tokio::test]
async fn delays_pass_in_the_time_of_the_broker() {
    let amqp = open(&rabbitmq::vhost().await, Arc::new(RealClock::new())).await;
    // 75 s takes three levels and a wait in the process.
    let longest = if servers::full() { vec![75_000] } else { Vec::new() };
    let delays = [300, 1_000, 2_000, 2_700, 3_000, 5_000, 7_000].into_iter().chain(longest);
    let delays: Vec<Duration> = delays.map(Duration::from_millis).collect();
    if let Err(fault) = conformance::delays::check(&*amqp, &delays).await {
        panic!("{fault}");
    }
}

//! Every adapter passes the suite of its port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use postrider_adapter_memory::{
    Alone, MemoryBreakers, MemoryClaims, MemoryMarks, MemoryRates, MemoryWindows,
};
use postrider_ports::claims::Claims;
use postrider_ports::leader::Leadership;
use postrider_ports::limits::{Breakers, Rates};
use postrider_ports::progress::Marks;
use postrider_ports::windows::Windows;
use postrider_testkit::conformance::leader::Contest;
use postrider_testkit::{ManualClock, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_pass() {
    let warm = |clock: Arc<ManualClock>| -> Arc<dyn Claims> { Arc::new(MemoryClaims::new(clock, false)) };
    conformance::claims::run(&warm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn marks_pass() {
    let marks = |clock: Arc<ManualClock>| -> Arc<dyn Marks> { Arc::new(MemoryMarks::new(clock)) };
    conformance::marks::run(&marks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn windows_pass() {
    let windows = |clock: Arc<ManualClock>| -> Arc<dyn Windows> { Arc::new(MemoryWindows::new(clock)) };
    conformance::windows::run(&windows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rates_pass() {
    let rates = |clock: Arc<ManualClock>| -> Arc<dyn Rates> { Arc::new(MemoryRates::new(clock)) };
    conformance::rates::run(&rates).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn breakers_pass() {
    let breakers = |clock: Arc<ManualClock>| -> Arc<dyn Breakers> { Arc::new(MemoryBreakers::new(clock)) };
    conformance::breakers::run(&breakers).await;
}

/// The one process that there is.
#[derive(Default)]
struct OneProcess(AtomicBool);

#[async_trait]
impl Contest for OneProcess {
    async fn process(&self) -> Option<Arc<dyn Leadership>> {
        let is_there = self.0.swap(true, Ordering::Relaxed);
        (!is_there).then(|| Arc::new(Alone) as Arc<dyn Leadership>)
    }

    async fn kill(&self, process: Arc<dyn Leadership>) {
        drop(process);
    }
}

#[tokio::test]
async fn leadership_passes() {
    conformance::leader::run(&|_: Arc<ManualClock>| Arc::new(OneProcess::default()) as Arc<dyn Contest>)
        .await;
}

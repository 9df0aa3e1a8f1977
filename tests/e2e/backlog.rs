//! 100,000 waiting deliveries: they wait on disk, not in memory.

use serde_json::json;

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

/// What the process may use at its peak: 150 MiB.
const LIMIT_KIB: u64 = 150 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_waiting_deliveries_stay_out_of_memory() {
    let target = Target::start(|_| Answer::Gate).await;
    let system = System::start(&["ingest.max_backlog=1000000"]).await;
    for n in 0..10 {
        system.webhook(&webhook(&target.url(&format!("/{n}")), &["*.*"])).await;
    }
    for from in (0..10_000).step_by(500) {
        let batch = (from..from + 500).map(|n| event(&format!("b{n}"), "Entry.publish")).collect::<Vec<_>>();
        system.accept(&json!(batch)).await;
    }
    let waiting = |balance: &crate::system::Balance| balance.total() == 100_000;
    let balance = system.until("all are on record", waiting).await;
    let peak = system.peak_memory_kib();
    println!("100,000 deliveries on record, {} waiting: VmHWM {} MiB", balance.of("pending"), peak / 1024);
    assert!(balance.of("pending") >= 99_000, "they wait: {balance:?}");
    assert!(peak <= LIMIT_KIB, "VmHWM is {peak} KiB");
}

//! What a delivery costs the servers under steady load (DESIGN §5, "telemetry of cost"), as the processes count it.
//!
//! The load: one publisher over HTTP, 100 events with ids of their own a request, the next request as soon as fewer than
//! [`IN_HAND`] deliveries are in hand; a receiver that answers at once; one process of each service, as many as a small
//! machine keeps busy. What the processes spend while they wait (polling, comparing versions) is counted like everything
//! else, from the warm-up to the last record. Only the API is left out: it answers nobody but this test.

use serde_json::json;
use tokio::time::Instant;

use crate::ALONE;
use crate::composition::{Composition, Crew, Servers};
use crate::metrics::Spent;
use crate::process::Process;
use crate::system::{System, event, webhook};
use crate::target::Target;

/// Events in one request.
const BATCH: usize = 100;
/// Deliveries in hand below which the next request is made.
const IN_HAND: usize = 1000;
/// Deliveries before counting begins: connections, indexes and shares have then grown to what the load needs.
const WARM_UP: usize = 2000;
/// Deliveries that are counted.
const COUNTED: usize = 8000;

const CREW: &Crew = &[("ingest", 1), ("dispatcher", 1), ("log-writer", 1), ("jobs", 1), ("api", 1)];

struct Load {
    system: System,
    target: Target,
    fan_out: usize,
    events: usize,
}

impl Load {
    async fn start(fan_out: usize) -> Self {
        let composition = Composition::on(Servers::borrow().await, CREW, &[]).await;
        let (system, target) = (System::over(composition).await, Target::willing().await);
        for n in 0..fan_out {
            system.webhook(&webhook(&target.url(&format!("/{n}")), &["*.*"])).await;
        }
        Self { system, target, fan_out, events: 0 }
    }

    /// Publishes until so many deliveries more are on their way.
    async fn deliver(&mut self, deliveries: usize) {
        for _ in 0..deliveries / self.fan_out / BATCH {
            self.target.until((self.events * self.fan_out).saturating_sub(IN_HAND)).await;
            let batch = (self.events..self.events + BATCH).map(|n| event(&format!("c{n}"), "Entry.publish"));
            self.system.accept(&json!(batch.collect::<Vec<_>>())).await;
            self.events += BATCH;
        }
    }

    /// Returns when every delivery is on record.
    async fn recorded(&self) {
        self.target.until(self.events * self.fan_out).await;
        let all = (self.events * self.fan_out) as u64;
        self.system.until("all are on record", |balance| balance.of("delivered") == all).await;
    }

    fn spenders(&self) -> Vec<&Process> {
        self.system.processes().iter().filter(|process| process.service != "api").collect()
    }

    async fn measure(mut self) -> Spent {
        self.deliver(WARM_UP).await;
        self.recorded().await;
        let (before, begun) = (Spent::by_each(&self.spenders()).await, Instant::now());
        self.deliver(COUNTED).await;
        self.recorded().await;
        let after = Spent::by_each(&self.spenders()).await;
        println!("fan-out {}, {COUNTED} deliveries in {:?}; for each:", self.fan_out, begun.elapsed());
        for (process, (after, before)) in self.spenders().iter().zip(after.iter().zip(&before)) {
            println!("  {}: {:?}", process.service, after.each(*before, COUNTED));
        }
        let each = Spent::sum(&after).each(Spent::sum(&before), COUNTED);
        println!("  all: {each:?}");
        assert_eq!(self.target.count(), WARM_UP + COUNTED, "each delivery is one call");
        each
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_of_its_own_costs_two_messages_and_little_else() {
    let _alone = ALONE.lock().await;
    let each = Load::start(1).await.measure().await;
    assert!(each.published <= 2.2 && each.redis <= 0.2 && each.sql <= 0.1, "{each:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_among_ten_of_one_event_costs_half_a_message() {
    let _alone = ALONE.lock().await;
    let each = Load::start(10).await.measure().await;
    assert!(each.published <= 0.5 && each.redis <= 0.1 && each.sql <= 0.05, "{each:?}");
}

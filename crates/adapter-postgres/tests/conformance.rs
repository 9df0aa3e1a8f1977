//! The promises that every adapter of these ports makes, kept by this one. Needs the private servers.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_adapter_postgres::{Database, Settings};
use postrider_ports::access::{Spaces, Tokens};
use postrider_ports::bodies::Bodies;
use postrider_ports::sources::Sources;
use postrider_ports::wellness::Wellness;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::{ManualClock, servers};

/// Makes databases on the shared server. What a killed process leaves behind is the database.
#[derive(Default)]
struct Fresh(Mutex<String>);

async fn open(url: &str, clock: Arc<ManualClock>) -> Arc<Database> {
    let settings = Settings::new(url).expect("an address");
    let (database, driver) = Database::open(&settings, clock).await.expect("opens");
    tokio::spawn(driver.run());
    Arc::new(database)
}

impl Fresh {
    async fn open(&self, clock: Arc<ManualClock>) -> Arc<Database> {
        let url = servers::postgres::database().await;
        self.0.lock().expect("no panic").clone_from(&url);
        open(&url, clock).await
    }

    async fn again(&self, clock: Arc<ManualClock>) -> Arc<Database> {
        let url = self.0.lock().expect("no panic").clone();
        open(&url, clock).await
    }
}

/// One suite: the test's name, the suite's module, and what it asks of an adapter.
macro_rules! passes {
    ($($test:ident: $suite:ident, $port:ty;)+) => {$(
        #[tokio::test]
        async fn $test() {
            struct Of(Fresh);

            #[async_trait]
            impl Harness<$port> for Of {
                async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<$port> {
                    self.0.open(clock).await
                }

                async fn reopen(&self, _: Arc<$port>, clock: Arc<ManualClock>) -> Option<Arc<$port>> {
                    Some(self.0.again(clock).await)
                }
            }

            conformance::$suite::run(&Of(Fresh::default())).await;
        }
    )+};
}

passes! {
    spaces: spaces, dyn Spaces;
    tokens: tokens, dyn Tokens;
    sources: sources, dyn Sources;
    the_registry: registry, dyn conformance::registry::WebhookAdapter;
    subscriptions: subscriptions, dyn conformance::registry::WebhookAdapter;
    wellness: wellness, dyn Wellness;
    bodies: bodies, dyn Bodies;
    the_log: log, dyn conformance::log::LogAdapter;
    progress: progress, dyn conformance::log::LogAdapter;
    retention: retention, dyn conformance::log::LogAdapter;
    days: days, dyn conformance::days::DaysAdapter;
    reconciling: reconcile, dyn conformance::reconcile::ReconcileAdapter;
}

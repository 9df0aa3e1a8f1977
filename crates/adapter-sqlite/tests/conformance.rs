//! The promises that every adapter of these ports makes, kept by this one.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_adapter_sqlite::{Database, FILE_NAME, Settings};
use postrider_ports::access::{Spaces, Tokens};
use postrider_ports::bodies::Bodies;
use postrider_ports::sources::Sources;
use postrider_ports::wellness::Wellness;
use postrider_testkit::ManualClock;
use postrider_testkit::conformance::{self, Harness};
use tempfile::TempDir;

/// Makes databases in directories of their own. A kill is played by what a killed process leaves: its files.
#[derive(Default)]
struct Files(Mutex<Vec<TempDir>>);

impl Files {
    async fn open(&self, dir: TempDir, clock: Arc<ManualClock>) -> Arc<Database> {
        let (database, driver) = Database::open(&Settings::new(dir.path()), clock).await.expect("opens");
        self.0.lock().expect("no panic").push(dir);
        tokio::spawn(driver.run());
        Arc::new(database)
    }

    async fn after_a_kill(&self, clock: Arc<ManualClock>) -> Arc<Database> {
        let dir = tempfile::tempdir().expect("a directory");
        let last = self.0.lock().expect("no panic").last().expect("opened before").path().to_owned();
        for file in [FILE_NAME.to_owned(), format!("{FILE_NAME}-wal")] {
            std::fs::copy(last.join(&file), dir.path().join(&file)).expect("copied");
        }
        self.open(dir, clock).await
    }
}

/// One suite: the test's name, the suite's module, and what it asks of an adapter.
macro_rules! passes {
    ($($test:ident: $suite:ident, $port:ty;)+) => {$(
        #[tokio::test]
        async fn $test() {
            struct Of(Files);

            #[async_trait]
            impl Harness<$port> for Of {
                async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<$port> {
                    self.0.open(tempfile::tempdir().expect("a directory"), clock).await
                }

                async fn reopen(&self, _: Arc<$port>, clock: Arc<ManualClock>) -> Option<Arc<$port>> {
                    Some(self.0.after_a_kill(clock).await)
                }
            }

            conformance::$suite::run(&Of(Files::default())).await;
        }
    )+};
}

passes! {
    the_queues: queue, dyn conformance::queue::QueueAdapter;
    parked_messages: parked, dyn conformance::queue::QueueAdapter;
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
    the_epoch: epoch, dyn postrider_ports::reconcile::BrokerEpoch;
}

//! A changed webhook is obeyed by every worker within a second, also when the hint at the change is lost.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use postrider_testkit::servers::redis;
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::ALONE;
use crate::composition::{Composition, Crew, Servers};
use crate::process::Process;
use crate::sockets::Callers;
use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

const WORKERS: usize = 3;
const CREW: &Crew = &[("ingest", 1), ("dispatcher", WORKERS), ("log-writer", 1), ("jobs", 1), ("api", 1)];
/// What is promised.
const WITHIN: Duration = Duration::from_secs(1);
/// Events in one request; all are delivered before the next, so that a call is made soon after its event.
const BATCH: usize = 30;

/// What the receiver has seen of one worker since the last edit.
#[derive(Debug, Clone, Copy, Default)]
struct Watched {
    /// When it last called where the webhook pointed before.
    last_old: Option<Instant>,
    /// When it first called where the webhook points now.
    first_new: Option<Instant>,
}

/// What the receiver knows.
#[derive(Default)]
struct Watch {
    callers: OnceLock<Callers>,
    /// Where the webhook points, and what each worker did since.
    state: Mutex<(String, [Watched; WORKERS])>,
}

impl Watch {
    fn note(&self, path: &str, port: u16) {
        let worker = self.callers.get().expect("known before the first call").of(port);
        let (now_at, watched) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if path == now_at {
            watched[worker].first_new.get_or_insert(now);
        } else {
            watched[worker].last_old = Some(now);
        }
    }

    fn expect(&self, path: &str) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (path.to_owned(), Default::default());
    }

    fn watched(&self) -> [Watched; WORKERS] {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

struct Story {
    system: System,
    target: Target,
    watch: Arc<Watch>,
    webhook: String,
    events: usize,
}

impl Story {
    async fn start(redis: &redis::Server) -> Self {
        let watch = Arc::new(Watch::default());
        let seen = Arc::clone(&watch);
        let script = move |hit: &crate::target::Hit| {
            seen.note(&hit.path, hit.peer.port());
            Answer::Status(200)
        };
        let target = Target::start(script).await;
        let mut servers = Servers::borrow().await;
        servers.redis = redis.url();
        let system = System::over(Composition::on(servers, CREW, &[]).await).await;
        let workers = system.processes().iter().filter(|process| process.service == "dispatcher");
        assert!(watch.callers.set(Callers::new(workers.map(Process::id).collect())).is_ok());
        watch.expect("/0");
        let webhook = system.webhook(&webhook(&target.url("/0"), &["*.*"])).await;
        let mut story = Self { system, target, watch, webhook, events: 0 };
        story.publish_until(|watched| watched.iter().all(|worker| worker.first_new.is_some())).await;
        story
    }

    /// Publishes, batch by batch, until every worker did what is wanted.
    async fn publish_until(&mut self, wanted: impl Fn(&[Watched; WORKERS]) -> bool) {
        let deadline = Instant::now() + crate::process::PATIENCE;
        while !wanted(&self.watch.watched()) {
            assert!(Instant::now() < deadline, "it did not come: {:?}", self.watch.watched());
            let batch = (self.events..self.events + BATCH).map(|n| event(&format!("o{n}"), "Entry.publish"));
            self.system.accept(&json!(batch.collect::<Vec<_>>())).await;
            self.events += BATCH;
            self.target.until(self.events).await;
        }
    }

    /// Points the webhook elsewhere while events flow, and measures each worker from the answer to the edit.
    async fn edit(&mut self, path: &str, how: &str) {
        let definition = webhook(&self.target.url(path), &["*.*"]);
        let at = format!("/spaces/default/webhook_definitions/{}", self.webhook);
        self.watch.expect(path);
        self.system.call(Method::PUT, &at, Some(&definition)).await;
        let edited = Instant::now();
        // Well beyond the promise, so that a worker that does not obey is caught in the act.
        let over = edited + 2 * WITHIN;
        self.publish_until(|watched| {
            Instant::now() > over && watched.iter().all(|worker| worker.first_new.is_some())
        })
        .await;
        for (number, worker) in self.watch.watched().iter().enumerate() {
            let since = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(edited));
            let (old, new) = (since(worker.last_old), since(worker.first_new).expect("it obeyed"));
            println!("{how}, worker {number}: last old call after {old:?}, first new one after {new:?}");
            assert!(
                old.unwrap_or_default() <= WITHIN,
                "{how}: worker {number} called the old URL after {old:?}"
            );
        }
    }
}

/// How many processes listen for hints.
async fn listeners(redis: &redis::Server) -> usize {
    let asked = "EVAL \"return redis.call('PUBSUB', 'NUMSUB', 'postrider:{*}:changed')[2]\" 0";
    let answer = redis.command(asked).await.expect("an answer");
    answer.trim_start_matches(':').parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_obeys_a_changed_webhook_within_a_second_with_and_without_the_hint() {
    let _alone = ALONE.lock().await;
    // Of its own: all databases of a server share its channels and its rights.
    let redis = redis::Server::start().await.expect("a Redis");
    let mut story = Story::start(&redis).await;
    assert!(listeners(&redis).await >= WORKERS);
    story.edit("/1", "with the hint").await;

    // Nobody may publish to a channel or listen to one; who listened is cut off.
    assert_eq!(redis.command("ACL SETUSER default resetchannels").await.expect("an answer"), "+OK");
    assert_eq!(listeners(&redis).await, 0);
    story.edit("/2", "without the hint").await;
    assert_eq!(listeners(&redis).await, 0);
}

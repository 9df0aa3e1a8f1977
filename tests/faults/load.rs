//! A steady load, before, during and after what happens: publishers that do as a good CMS does and repeat an event under
//! its id until it is accepted (202) or confirmed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cms::AmqpPublisher;
use crate::process::PATIENCE;
use crate::system::event;

/// Publishers over each door.
const PUBLISHERS: usize = 2;
/// Between two batches of a publisher, and between two tries. Load that is late is not made up for.
const PACE: Duration = Duration::from_millis(100);
/// Events in a batch: 2 doors × 2 publishers × 10 batches a second × 6 are 240 events a second.
const BATCH: usize = 6;
/// Events that may be under way at any instant, sent and not yet accepted: each publisher waits for its batch.
pub(crate) const UNDER_WAY: usize = 2 * PUBLISHERS * BATCH;
/// An answer that takes longer is given up, as a CMS does.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where events go in.
#[derive(Debug, Clone)]
pub(crate) struct Doors {
    /// The ingest processes, as a load balancer knows them. One that is started again takes the place of the one that died.
    pub(crate) http: Arc<Mutex<Vec<String>>>,
    /// `amqp://…/vhost`
    pub(crate) amqp: String,
    /// What the HTTP door wants to see.
    pub(crate) token: String,
}

/// The publishers at work.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    publishers: JoinSet<()>,
    told: Arc<Told>,
}

/// What they have done.
#[derive(Debug, Default)]
pub(crate) struct Told {
    accepted: AtomicUsize,
    /// Batches that had to be sent again.
    repeats: AtomicUsize,
    ids: Mutex<Vec<String>>,
}

/// What was published in all.
pub(crate) struct Published {
    /// The ids of all accepted events.
    pub(crate) ids: Vec<String>,
    /// Batches that had to be sent again.
    pub(crate) repeats: usize,
}

impl Told {
    /// Events accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The ids of the events accepted so far.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Load {
    /// Begins: half of the publishers over HTTP, half over AMQP.
    pub(crate) fn start(doors: &Doors) -> Self {
        let (stop, told) = (watch::Sender::new(false), Arc::new(Told::default()));
        let mut publishers = JoinSet::new();
        for number in 0..2 * PUBLISHERS {
            let door = if number.is_multiple_of(2) {
                Door::Http(Client::builder().no_proxy().timeout(TIMEOUT).build().expect("a client"))
            } else {
                Door::Amqp(Box::new(AmqpPublisher::new(&doors.amqp, watch::channel(true).1)))
            };
            let publisher = Publisher { number, door, doors: doors.clone(), told: Arc::clone(&told) };
            publishers.spawn(publisher.work(stop.subscribe()));
        }
        Self { stop, publishers, told }
    }

    /// What has been done so far, for whoever watches.
    pub(crate) fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    /// Ends it: each publisher gets its last batch accepted first.
    pub(crate) async fn stop(mut self) -> Published {
        self.stop.send_replace(true);
        let ended = async {
            while let Some(ended) = self.publishers.join_next().await {
                ended.expect("a publisher does not panic");
            }
        };
        timeout(PATIENCE, ended).await.expect("what was begun is accepted");
        let ids = std::mem::take(&mut *self.told.ids.lock().unwrap_or_else(PoisonError::into_inner));
        Published { ids, repeats: self.told.repeats.load(Ordering::SeqCst) }
    }
}

enum Door {
    Http(Client),
    Amqp(Box<AmqpPublisher>),
}

struct Publisher {
    number: usize,
    door: Door,
    doors: Doors,
    told: Arc<Told>,
}

impl Publisher {
    async fn work(mut self, stop: watch::Receiver<bool>) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batches = 0;
        while !*stop.borrow() {
            pace.tick().await;
            let ids: Vec<String> = (0..BATCH).map(|n| format!("p{}-{batches}-{n}", self.number)).collect();
            let events: Vec<Value> = ids.iter().map(|id| event(id, "Entry.publish")).collect();
            let mut tries = 1;
            while !self.publish(&events, tries).await {
                tries += 1;
                pace.tick().await;
            }
            self.told.repeats.fetch_add(tries - 1, Ordering::SeqCst);
            self.told.ids.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
            self.told.accepted.fetch_add(BATCH, Ordering::SeqCst);
            batches += 1;
        }
    }

    /// One try; whether every event was accepted.
    async fn publish(&mut self, events: &[Value], tries: usize) -> bool {
        match &mut self.door {
            Door::Amqp(cms) => cms.attempt(events).await,
            Door::Http(client) => {
                let ingest = {
                    let known = self.doors.http.lock().unwrap_or_else(PoisonError::into_inner);
                    known[(self.number + tries) % known.len()].clone()
                };
                let url = format!("{ingest}/spaces/default/environments/master/events");
                // A process that is gone does not answer.
                let Ok(answer) = client.post(url).bearer_auth(&self.doors.token).json(events).send().await
                else {
                    return false;
                };
                let status = answer.status();
                let is_ours = status.is_success()
                    || status.is_server_error()
                    || status == StatusCode::TOO_MANY_REQUESTS;
                assert!(is_ours, "{status}: {:?}", answer.text().await);
                status == StatusCode::ACCEPTED
            }
        }
    }
}

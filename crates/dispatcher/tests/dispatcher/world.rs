//! A world with one dispatcher in it: servers, queues, a receiver and a clock that the test moves.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use postrider_dispatcher::settings::RecordSettings;
use postrider_dispatcher::{Deps, Dispatcher, Error, Settings, run};
use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::event::{Carriage, Carried, Event};
use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Queue};
use postrider_domain::record::{MatchRecord, Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Webhook;
use postrider_ports::bodies::Bodies;
use postrider_ports::clock::Clock;
use postrider_ports::queue::{Depth, Depths, Outgoing, Parked, ParkedMessage, Publish};
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_testkit::builders::{EventBuilder, outgoing, space, webhook_id};
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::{ManualClock, START, SeededRandom};
use tokio::task::JoinHandle;

use crate::fakes::{Servers, State, Tapped};
use crate::receiver::{Arrived, Receiver};
use crate::taps::Taps;

/// The world.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) taps: Taps,
    pub(crate) queue: MemoryQueue,
    pub(crate) servers: Arc<Servers>,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) settings: Settings,
    pub(crate) health: Health,
}

/// A dispatcher that runs.
pub(crate) struct Running {
    pub(crate) shutdown: Shutdown,
    pub(crate) task: JoinHandle<Result<(), Error>>,
}

impl World {
    /// Empty, at [`START`]; records are sent at once.
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let taps = Taps::default();
        let servers = Servers {
            clock: Arc::clone(&clock),
            taps: taps.clone(),
            state: std::sync::Mutex::new(State::default()),
            hint: tokio::sync::Notify::new(),
        };
        let records = RecordSettings { within: Duration::ZERO, ..RecordSettings::default() };
        Self {
            queue: MemoryQueue::new(Arc::clone(&clock) as Arc<dyn Clock>),
            servers: Arc::new(servers),
            receiver: Arc::new(Receiver::new(Arc::clone(&clock), taps.clone())),
            settings: Settings { records, ..Settings::default() },
            health: Health::new(Shutdown::new()),
            clock,
            taps,
        }
    }

    pub(crate) fn with(webhooks: impl IntoIterator<Item = Webhook>) -> Self {
        let world = Self::new();
        webhooks.into_iter().for_each(|webhook| world.put(webhook));
        world
    }

    /// Makes or changes a webhook.
    pub(crate) fn put(&self, webhook: Webhook) {
        let (space, id) = (webhook.space.clone(), webhook.id.clone());
        self.servers.lock().change(&space, &id, Some(webhook));
    }

    /// Deletes a webhook of the default space.
    pub(crate) fn delete(&self, id: &str) {
        self.servers.lock().change(&space("default"), &webhook_id(id), None);
    }

    pub(crate) fn deps(&self) -> Deps {
        let tapped = || Tapped { queue: self.queue.clone(), taps: self.taps.clone() };
        let servers = || Arc::clone(&self.servers);
        Deps {
            events: Arc::new(tapped()),
            deliveries: Arc::new(tapped()),
            deliver: Arc::new(tapped()),
            records: servers(),
            subscriptions: servers(),
            bodies: servers(),
            marks: servers(),
            progresses: servers(),
            windows: servers(),
            rates: servers(),
            breakers: servers(),
            sender: Arc::clone(&self.receiver) as Arc<_>,
            secrets: servers(),
            disable: servers(),
            wellness: servers(),
            announce: Arc::new(tapped()),
            claims: servers(),
            clock: Arc::clone(&self.clock) as Arc<_>,
            random: Arc::new(SeededRandom::new(7)),
            health: self.health.clone(),
        }
    }

    /// Accepts an event: it waits to be matched.
    pub(crate) async fn accept(&self, event: EventBuilder) {
        self.accept_as(outgoing(event.message())).await;
    }

    pub(crate) async fn accept_as(&self, event: Outgoing<EventMessage>) {
        self.queue.publish(vec![event]).await.expect("the queue takes it");
    }

    /// Accepts an event whose content does not travel with it.
    pub(crate) async fn accept_stored(&self, event: EventBuilder) {
        let Event { head, content } = event.build();
        let body = self.servers.put(head.day(), &content).await.expect("stored");
        let event = Carried { head: Arc::new(head), content: Carriage::Stored(body) };
        self.accept_as(outgoing(EventMessage { event })).await;
    }

    /// Puts a delivery message into its queue.
    pub(crate) async fn publish(&self, message: Outgoing<DeliverMessage>) {
        self.queue.publish(vec![message]).await.expect("the queue takes it");
    }

    /// A new dispatcher does everything that can be done now.
    pub(crate) async fn step(&self) {
        let mut dispatcher = Dispatcher::new(self.settings.clone(), self.deps()).expect("good settings");
        loop {
            let matched = dispatcher.match_step().await.expect("events can be read");
            let delivered = dispatcher.deliver_step().await.expect("deliveries can be read");
            if matched + delivered == 0 {
                return;
            }
        }
    }

    /// Starts a dispatcher.
    pub(crate) fn start(&self) -> Running {
        let shutdown = Shutdown::new();
        let task = tokio::spawn(run(self.settings.clone(), self.deps(), shutdown.clone()));
        Running { shutdown, task }
    }

    /// Lets everything happen that happens within `time`, each thing at its instant.
    pub(crate) async fn pass(&self, time: Duration) {
        let end = self.clock.now().plus(time);
        loop {
            idle().await;
            let next = match self.clock.sleepers() {
                0 => end,
                _ => self.clock.someone_sleeps().await.min(end),
            };
            if next >= end {
                self.clock.set(end);
                return idle().await;
            }
            self.clock.set(next);
        }
    }

    /// The calls that arrived at a webhook.
    pub(crate) fn arrived(&self, webhook: &str) -> Vec<Arrived> {
        self.receiver.arrived(&format!("/{webhook}"))
    }

    /// When they arrived, in seconds since the start.
    pub(crate) fn arrived_at(&self, webhook: &str) -> Vec<f64> {
        self.arrived(webhook).iter().map(|one| one.at.since(START).as_secs_f64()).collect()
    }

    /// Everything the log was told, in order.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.servers.lock().messages.iter().flat_map(|(message, _)| message.records.clone()).collect()
    }

    pub(crate) fn matches(&self) -> Vec<MatchRecord> {
        let records = self.records().into_iter();
        records
            .filter_map(|record| if let Record::Matched(one) = record { Some(one) } else { None })
            .collect()
    }

    pub(crate) fn calls(&self, webhook: &str) -> Vec<CallRecord> {
        let call = |record| if let Record::Call(call) = record { Some(*call) } else { None };
        let of_webhook = |call: &CallRecord| call.delivery.webhook.as_str() == webhook;
        self.records().into_iter().filter_map(call).filter(of_webhook).collect()
    }

    pub(crate) fn settled(&self, webhook: &str) -> Vec<SettledRecord> {
        let settled = |record| if let Record::Settled(one) = record { Some(one) } else { None };
        let of_webhook = |one: &SettledRecord| one.delivery.webhook.as_str() == webhook;
        self.records().into_iter().filter_map(settled).filter(of_webhook).collect()
    }

    /// Where each (event, matched webhook) stands by what the log was told, and how many stand so.
    pub(crate) fn balance(&self) -> BTreeMap<&'static str, usize> {
        let mut known: HashMap<DeliveryId, Progress> = HashMap::new();
        for matched in self.matches() {
            let head = &matched.event.head;
            for decision in matched.decisions.iter().filter(|decision| decision.verdict.matched) {
                let id = DeliveryId::derive(&head.scope, &head.id, &decision.webhook, 0);
                known.insert(id, Progress { state: DeliveryState::Pending, attempt: 0 });
            }
        }
        for record in self.records() {
            let (id, progress) = match record {
                Record::Matched(_) => continue,
                Record::Call(call) => {
                    (call.delivery.id(), Progress { state: call.state, attempt: call.attempt })
                }
                Record::Settled(one) => {
                    (one.delivery.id(), Progress { state: one.state, attempt: one.attempt })
                }
            };
            if let Some(known) = known.get_mut(&id).filter(|known| progress.replaces(**known)) {
                *known = progress;
            }
        }
        let mut balance = BTreeMap::new();
        for progress in known.values() {
            *balance.entry(progress.state.as_str()).or_default() += 1;
        }
        balance
    }

    /// What waits in a lane, and until when.
    pub(crate) fn waiting(&self, lane: Lane) -> Vec<(DeliverMessage, Option<Timestamp>)> {
        self.queue.waiting(Queue::Deliver(lane))
    }

    /// How full the queues are, all together.
    pub(crate) async fn depth(&self) -> Depth {
        let mut all = Depth::default();
        for queue in Queue::ALL {
            let depth = self.queue.depth(queue).await.expect("the queue answers");
            all.ready += depth.ready;
            all.delayed += depth.delayed;
            all.leased += depth.leased;
        }
        all
    }

    pub(crate) async fn parked(&self) -> Vec<ParkedMessage> {
        self.queue.list(None, 100).await.expect("the queue answers")
    }

    /// Nothing is left in any queue.
    pub(crate) async fn assert_empty(&self) {
        assert_eq!(self.depth().await, Depth::default(), "something is left in the queues");
    }
}

impl Running {
    /// Asks softly to stop.
    pub(crate) fn begin(&self) {
        self.shutdown.begin();
    }

    /// The dispatcher has ended as it should.
    pub(crate) async fn ended(self) {
        self.task.await.expect("it does not panic").expect("it ends well");
    }

    /// Stops, and waits for the end.
    pub(crate) async fn stop(self) {
        self.begin();
        self.ended().await;
    }
}

/// Waits until nobody can do anything more now: paused time only moves when every task waits.
pub(crate) async fn idle() {
    drop(tokio::time::timeout(Duration::from_millis(1), pending::<()>()).await);
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

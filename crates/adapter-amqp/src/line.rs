//! The waiting line of one queue in this process: what the broker handed over and nobody holds yet.
//!
//! All consumers of the queue share it, and one subscription. It is filled by whoever asks. What is dropped, released or
//! rejected comes back here, at its old place; so nothing is counted by the broker, and it is handed out again at once. If
//! nobody consumes any more, or nobody has asked for a minute, everything goes back to the broker, for other processes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use postrider_domain::message::Queue;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortResult};
use tokio::sync::{Notify, oneshot};

use crate::connection::Settings;
use crate::defer::EARLY;
use crate::driver::{Chore, Shared};
use crate::entry::{Entry, Hold};
use crate::session::Session;
use crate::topology;

/// Looks (one a second) after which a line without consumers, and one that is not asked, gives back what it has. The
/// broker itself takes everything back after 30 min without an acknowledgement (`consumer_timeout`).
const WITHOUT_CONSUMERS: u32 = 5;
const WITHOUT_QUESTIONS: u32 = 60;
/// How long the last messages of a cancelled subscription may take.
const DRAIN: Duration = Duration::from_secs(5);

/// Until what could not be put off is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where messages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// What our services tell each other.
    Queue(Queue),
    /// What a CMS published.
    Inbox,
}

/// The line of one source, for one session.
pub(crate) struct Line {
    pub(crate) source: Source,
    pub(crate) shared: Arc<Shared>,
    session: Weak<Session>,
    channel: Channel,
    /// Whoever waits for messages holds it.
    subscription: tokio::sync::Mutex<Option<Consumer>>,
    /// By tag: in the order of arrival. At most the prefetch of the source.
    waiting: Mutex<BTreeMap<u64, Entry>>,
    /// Something was put back.
    woken: Notify,
    leased: AtomicI64,
    asking: AtomicUsize,
    quiet_looks: AtomicU32,
}

/// The session is over; the next one has a line of its own.
pub(crate) struct Lost;

/// What lies in the line at an instant.
struct Picked {
    due: Vec<Hold>,
    early: Vec<(Hold, Duration)>,
    /// When the next of those that stay is due.
    next: Option<Timestamp>,
}

/// Counts who asks, also when the question is dropped.
struct Asking<'l>(&'l Line);

impl Source {
    /// How many there are.
    pub(crate) const COUNT: usize = Queue::ALL.len() + 1;

    /// Its number, from 0.
    pub(crate) fn number(self) -> usize {
        let place = Queue::ALL.into_iter().position(|queue| Self::Queue(queue) == self);
        place.unwrap_or(Queue::ALL.len())
    }

    /// Its name on the broker.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queue(queue) => topology::name(queue),
            Self::Inbox => topology::INBOX,
        }
    }

    /// Whether what comes from there may have been put off.
    pub(crate) fn is_deliver(self) -> bool {
        matches!(self, Self::Queue(Queue::Deliver(_)))
    }

    /// Its name for people.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Queue(queue) => queue.as_str(),
            Self::Inbox => "inbox",
        }
    }

    /// How many messages this process holds at most, so that memory stays bounded: 500 events of up to 32 KiB and their
    /// heads, 64 records messages of 256 KiB (16 MiB), 200 inputs of 256 KiB (50 MiB).
    pub(crate) fn prefetch(self, settings: &Settings) -> u16 {
        match self {
            Self::Queue(Queue::Events) => 500,
            Self::Queue(Queue::Deliver(_)) => settings.prefetch,
            Self::Queue(Queue::Records) => 64,
            Self::Inbox => 200,
        }
    }
}

impl Line {
    pub(crate) fn new(
        source: Source,
        channel: Channel,
        session: &Arc<Session>,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            source,
            shared: Arc::clone(shared),
            session: Arc::downgrade(session),
            channel,
            subscription: tokio::sync::Mutex::default(),
            waiting: Mutex::default(),
            woken: Notify::new(),
            leased: AtomicI64::new(0),
            asking: AtomicUsize::new(0),
            quiet_looks: AtomicU32::new(0),
        }
    }

    /// Its session, as long as that lives.
    pub(crate) fn session(&self) -> PortResult<Arc<Session>> {
        self.session.upgrade().ok_or_else(|| {
            PortError::transient("the connection to the broker ended; the message is handed out again")
        })
    }

    /// Waits until there is at least one message, then takes up to `max`. Loses nothing when it is dropped.
    pub(crate) async fn take(self: &Arc<Self>, max: usize) -> Result<Vec<Hold>, Lost> {
        let session = self.session.upgrade().ok_or(Lost)?;
        let _asking = Asking::new(self);
        tokio::select! {
            taken = self.take_subscribed(max.max(1)) => taken,
            _ = session.until_broken() => Err(Lost),
        }
    }

    async fn take_subscribed(self: &Arc<Self>, max: usize) -> Result<Vec<Hold>, Lost> {
        loop {
            let mut subscription = self.subscription.lock().await;
            if let Some(consumer) = &mut *subscription {
                return self.take_from(consumer, max).await;
            }
            drop(subscription);
            self.subscribe().await?;
        }
    }

    /// Subscribes. The driver does it, since a question may be dropped at any point, and half a subscription would hold
    /// messages for nobody.
    async fn subscribe(self: &Arc<Self>) -> Result<(), Lost> {
        let line = Arc::clone(self);
        let (done, wait) = oneshot::channel::<()>();
        self.shared.give(Box::pin(async move {
            let mut subscription = line.subscription.lock().await;
            if subscription.is_none() {
                let (queue, options) = (line.source.name().into(), BasicConsumeOptions::default());
                match line.channel.basic_consume(queue, "".into(), options, FieldTable::default()).await {
                    Ok(consumer) => *subscription = Some(consumer),
                    Err(error) => line.fail(&format!("could not consume {}: {error}", line.source.name())),
                }
            }
            drop(subscription);
            // Who no longer waits needs no answer.
            done.send(()).ok();
        }));
        wait.await.map_err(|_| Lost)
    }

    async fn take_from(self: &Arc<Self>, consumer: &mut Consumer, max: usize) -> Result<Vec<Hold>, Lost> {
        loop {
            let mut woken = std::pin::pin!(self.woken.notified());
            // From here on nothing that is put back is missed.
            woken.as_mut().enable();
            while let Some(delivery) = consumer.next().now_or_never() {
                self.arrived(delivery)?;
            }
            let picked = self.pick(max);
            let put_off = picked.early.into_iter().map(|(hold, rest)| hold.put_off(rest));
            let put_off = futures::future::try_join_all(put_off).await;
            if !picked.due.is_empty() {
                return Ok(picked.due);
            }
            if put_off.is_err() {
                // The broker takes no messages now. (A session that has ended ends this wait too.)
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            tokio::select! {
                delivery = consumer.next() => self.arrived(delivery)?,
                () = woken => {}
                () = self.until(picked.next) => {}
            }
        }
    }

    /// Adds what the subscription brought.
    fn arrived(&self, delivery: Option<Result<Delivery, lapin::Error>>) -> Result<(), Lost> {
        match delivery {
            Some(Ok(delivery)) => {
                self.add(delivery);
                Ok(())
            }
            Some(Err(error)) => {
                self.fail(&format!("the subscription of {} failed: {error}", self.source.name()));
                Err(Lost)
            }
            None => {
                self.fail(&format!("the broker ended the subscription of {}", self.source.name()));
                Err(Lost)
            }
        }
    }

    fn add(&self, delivery: Delivery) {
        self.shared.costs.deliver();
        let entry = Entry::new(delivery, self.source, self.shared.clock.now());
        self.lock().insert(entry.tag, entry);
    }

    /// Takes out what is due, up to `max`, and what came more than a second early.
    fn pick(self: &Arc<Self>, max: usize) -> Picked {
        let now = self.shared.clock.now();
        let mut waiting = self.lock();
        let (mut due, mut early, mut next) = (Vec::new(), Vec::new(), None);
        for (tag, entry) in &*waiting {
            match entry.not_before() {
                Some(at) if at.since(now) > EARLY => early.push((*tag, at.since(now))),
                Some(at) if at > now => next = Some(next.map_or(at, |next: Timestamp| next.min(at))),
                _ if due.len() < max => due.push(*tag),
                _ => break,
            }
        }
        let mut hold = |tag| Some(Hold::new(Arc::clone(self), waiting.remove(&tag)?));
        Picked {
            due: due.into_iter().filter_map(&mut hold).collect(),
            early: early.into_iter().filter_map(|(tag, rest)| Some((hold(tag)?, rest))).collect(),
            next,
        }
    }

    async fn until(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.shared.clock.sleep_until(at).await,
            None => futures::future::pending().await,
        }
    }

    /// Puts a message back to its place.
    pub(crate) fn put_back(&self, entry: Entry) {
        self.lock().insert(entry.tag, entry);
        self.woken.notify_waiters();
    }

    /// So many leases more.
    pub(crate) fn lease(&self, more: i64) {
        self.leased.fetch_add(more, Ordering::AcqRel);
    }

    /// How many are held by consumers, wait for one, and wait for their time.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let now = self.shared.clock.now();
        let waiting = self.lock();
        let delayed = waiting.values().filter(|entry| entry.not_before().is_some_and(|at| at > now)).count();
        let ready = waiting.len() - delayed;
        let leased = u64::try_from(self.leased.load(Ordering::Acquire)).unwrap_or(0);
        (leased, ready as u64, delayed as u64)
    }

    /// What an acknowledgement came to.
    pub(crate) async fn settled(
        &self,
        ending: impl Future<Output = Result<bool, lapin::Error>>,
    ) -> PortResult<()> {
        let why = match self.session()?.answered(ending).await {
            Ok(true) => return Ok(()),
            Ok(false) => "the channel is closed".to_owned(),
            Err(error) => error.to_string(),
        };
        self.fail(&format!("an acknowledgement failed: {why}"));
        Err(PortError::transient(format!("could not end a lease ({why}); the message is handed out again")))
    }

    /// Looks after the line: called every second.
    pub(crate) fn look_after(self: Arc<Self>) -> Option<Chore> {
        if self.asking.load(Ordering::Acquire) > 0 {
            self.quiet_looks.store(0, Ordering::Release);
            return None;
        }
        let quiet = self.quiet_looks.fetch_add(1, Ordering::AcqRel);
        let consumed = self.shared.is_consumed(self.source);
        let enough = if consumed { WITHOUT_QUESTIONS } else { WITHOUT_CONSUMERS };
        (quiet >= enough).then(|| Box::pin(async move { self.give_back().await }) as Chore)
    }

    /// Ends the subscription and gives back what nobody holds.
    async fn give_back(&self) {
        let mut subscription = self.subscription.lock().await;
        if let Some(mut consumer) = subscription.take() {
            let cancelled = self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await;
            if let Err(error) = cancelled {
                self.fail(&format!("could not end the subscription of {}: {error}", self.source.name()));
                return;
            }
            let drain = async {
                while let Some(Ok(delivery)) = consumer.next().await {
                    self.add(delivery);
                }
            };
            if tokio::time::timeout(DRAIN, drain).await.is_err() {
                self.fail("a cancelled subscription did not end");
                return;
            }
        }
        while let Some((_, entry)) = { self.lock().pop_first() } {
            if entry.give_back(self).await.is_err() {
                // Tried again at the next look, unless the session has ended.
                self.put_back(entry);
                return;
            }
        }
    }

    fn fail(&self, why: &str) {
        if let Some(session) = self.session.upgrade() {
            session.fail(why);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'l> Asking<'l> {
    fn new(line: &'l Line) -> Self {
        line.asking.fetch_add(1, Ordering::AcqRel);
        line.quiet_looks.store(0, Ordering::Release);
        Self(line)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::AcqRel);
    }
}

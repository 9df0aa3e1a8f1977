//! The handle and its engine: connects, watches, and connects again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use lapin::Event;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::{PortError, PortResult};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::connection::Settings;
use crate::costs::Costs;
use crate::epoch;
use crate::line::Source;
use crate::session::Session;

/// Between two attempts to connect: 0.2 s, doubled each time up to 2 s, of which chance takes up to half. So it is back
/// within 3 s of the broker's return, and a thousand processes do not come at once.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long connecting twice and declaring everything may take: 0.5 s on an idle broker, and far more on a busy one.
const OPEN: Duration = Duration::from_secs(30);
/// How long a caller waits for a session before it is told that there is none.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the lines are looked after.
const LOOK: Duration = Duration::from_secs(1);

/// The queues on a broker. Clones are cheap and mean the same connections.
#[derive(Clone)]
pub struct Amqp {
    pub(crate) shared: Arc<Shared>,
}

/// What the broker is to us at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Connected; everything works.
    Ready,
    /// Nothing works now, and why; it is being tried again.
    Away(String),
    /// [`Amqp::close`] was called.
    Closed,
}

/// The engine of an [`Amqp`]: run it beside the services.
#[must_use = "nothing is connected until the driver runs"]
pub struct Driver {
    shared: Arc<Shared>,
    chores: mpsc::UnboundedReceiver<Chore>,
}

/// Work that must be finished although whoever asked for it may be gone by then. There are never more than leases.
pub(crate) type Chore = BoxFuture<'static, ()>;

/// What handle, driver, consumers and leases share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) costs: Arc<Costs>,
    pub(crate) last_parked: std::sync::atomic::AtomicI64,
    session: watch::Sender<Option<Arc<Session>>>,
    status: watch::Sender<Status>,
    chores: mpsc::UnboundedSender<Chore>,
    close: watch::Sender<bool>,
    /// How many consumers each source has, by [`Source::number`].
    consumers: [AtomicUsize; Source::COUNT],
}

/// Why a session ended.
enum End {
    Broken(String),
    Closed,
}

impl Amqp {
    /// The queues on this broker. Nothing happens until the driver runs.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> (Self, Driver) {
        let (chores, brought) = mpsc::unbounded_channel();
        let close = watch::Sender::new(false);
        let shared = Arc::new(Shared {
            settings,
            clock,
            random,
            costs: Arc::default(),
            last_parked: std::sync::atomic::AtomicI64::new(0),
            session: watch::Sender::new(None),
            status: watch::Sender::new(Status::Away("starting".to_owned())),
            chores,
            close,
            consumers: Default::default(),
        });
        (Self { shared: Arc::clone(&shared) }, Driver { shared, chores: brought })
    }

    /// What the broker is to us, for the health of the process.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// Ends the driver. What this process holds goes back to the broker. Returns once the connections are closed.
    pub async fn close(&self) {
        self.shared.close.send_replace(true);
        // The driver, or whoever dropped it, holds no session any more.
        drop(self.shared.status.subscribe().wait_for(|status| *status == Status::Closed).await);
    }
}

impl Shared {
    /// The session; waits a little when there is none.
    pub(crate) async fn session(&self) -> PortResult<Arc<Session>> {
        let session = tokio::time::timeout(PATIENCE, self.next_session()).await;
        session.unwrap_or_else(|_| Err(self.away()))
    }

    /// The session; waits as long as it takes.
    pub(crate) async fn next_session(&self) -> PortResult<Arc<Session>> {
        let mut session = self.session.subscribe();
        tokio::select! {
            session = session.wait_for(|session| session.as_ref().is_some_and(|session| !session.is_broken())) => {
                session.ok().and_then(|session| session.clone())
            }
            () = self.until_closed() => None,
        }
        .ok_or_else(|| PortError::transient("the connection to the broker is closed: the process is stopping"))
    }

    fn is_closed(&self) -> bool {
        *self.close.borrow()
    }

    /// Returns once [`Amqp::close`] was called.
    async fn until_closed(&self) {
        // `self` holds the sender, so waiting cannot fail.
        drop(self.close.subscribe().wait_for(|closed| *closed).await);
    }

    fn away(&self) -> PortError {
        match &*self.status.borrow() {
            Status::Away(why) => PortError::transient(format!("the broker is away: {why}")),
            Status::Ready | Status::Closed => PortError::transient("the broker was away until now"),
        }
    }

    /// Hands work to the driver.
    pub(crate) fn give(&self, chore: Chore) {
        // A driver that has ended drops it, which tells whoever waits.
        drop(self.chores.send(chore));
    }

    /// One consumer more.
    pub(crate) fn came(&self, source: Source) {
        self.consumers[source.number()].fetch_add(1, Ordering::AcqRel);
    }

    /// One consumer less.
    pub(crate) fn went(&self, source: Source) {
        self.consumers[source.number()].fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether somebody consumes it.
    pub(crate) fn is_consumed(&self, source: Source) -> bool {
        self.consumers[source.number()].load(Ordering::Acquire) > 0
    }
}

impl Driver {
    /// Keeps a session open until [`Amqp::close`] is called. It outlives every fault of the broker and of the network.
    ///
    /// Of several addresses it begins with any, so that processes spread over the nodes of a cluster. One that does not answer,
    /// and one whose session ended, is followed by the next; it waits only when it has asked all.
    pub async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let addresses = u32::try_from(shared.settings.urls.len()).unwrap_or(u32::MAX).max(1);
        let mut attempt = any_of(addresses, shared.random.fraction());
        let mut failures = 0;
        while !self.shared.is_closed() {
            let url = shared.settings.url(attempt);
            attempt += 1;
            let opened = tokio::select! {
                opened = tokio::time::timeout(OPEN, Session::open(&shared, url)) => opened.unwrap_or_else(|_| {
                    Err(PortError::transient(format!("the broker did not answer within {} s", OPEN.as_secs())))
                }),
                () = self.shared.until_closed() => break,
            };
            let why = match opened {
                Ok(session) => {
                    failures = 0;
                    match self.serve(Arc::new(session)).await {
                        End::Broken(why) => why,
                        End::Closed => break,
                    }
                }
                Err(error) => error.to_string(),
            };
            tracing::warn!(%why, failures, "no connection to the broker; trying again");
            self.shared.status.send_replace(Status::Away(why));
            let wait = pause(failures, addresses, self.shared.random.fraction());
            failures += 1;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shared.until_closed() => break,
            }
        }
    }

    /// Serves one session to its end.
    async fn serve(&mut self, session: Arc<Session>) -> End {
        tracing::info!("connected to the broker");
        self.shared.session.send_replace(Some(Arc::clone(&session)));
        self.shared.status.send_replace(Status::Ready);
        let end = self.watch(&session).await;
        self.shared.session.send_replace(None);
        if let End::Broken(why) = &end {
            session.fail(why);
        }
        session.close().await;
        end
    }

    async fn watch(&mut self, session: &Arc<Session>) -> End {
        let mut events = session.events();
        let mut at_work = FuturesUnordered::new();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                why = session.until_broken() => return End::Broken(why),
                () = self.shared.until_closed() => return End::Closed,
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(why)) => self.blocked(session, &why),
                    Some(Event::ConnectionUnblocked) => self.unblocked(session),
                    Some(Event::Error(error)) if epoch::is_absence(&error) => {}
                    Some(Event::Error(error)) => return End::Broken(error.to_string()),
                    Some(_) => {}
                    None => return End::Broken("the connections ended".to_owned()),
                },
                chore = self.chores.recv() => at_work.extend(chore),
                Some(()) = at_work.next() => {}
                _ = look.tick() => for line in session.lines().await {
                    at_work.extend(line.look_after());
                },
            }
        }
    }

    fn blocked(&self, session: &Session, why: &str) {
        tracing::warn!(why, "the broker takes no messages now");
        session.set_blocked(Some(why.to_owned()));
        self.shared.status.send_replace(Status::Away(format!("the broker takes no messages now: {why}")));
    }

    fn unblocked(&self, session: &Session) {
        tracing::info!("the broker takes messages again");
        session.set_blocked(None);
        self.shared.status.send_replace(Status::Ready);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // However it ends, nobody is left waiting for it.
        if let Some(session) = self.shared.session.send_replace(None) {
            session.fail("the driver has ended");
        }
        self.shared.close.send_replace(true);
        self.shared.status.send_replace(Status::Closed);
    }
}

/// One of so many, by a fraction drawn from [0, 1).
fn any_of(count: u32, fraction: f64) -> usize {
    let whole = (1..count).take_while(|one| f64::from(*one) <= fraction * f64::from(count));
    whole.count()
}

/// How long to wait after so many failures in a row, with so many addresses: not at all as long as one was not asked.
fn pause(failures: u32, addresses: u32, fraction: f64) -> Duration {
    let asked_all = failures.is_multiple_of(addresses);
    if asked_all { wait(failures / addresses, fraction) } else { Duration::ZERO }
}

/// How long to wait after so many failures in a row; `fraction` is drawn from [0, 1).
fn wait(failures: u32, fraction: f64) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT);
    longest.mul_f64(1.0 - fraction / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_double_up_to_two_seconds_and_chance_takes_up_to_half() {
        let waits: Vec<u128> = (0..6).map(|failures| wait(failures, 0.0).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(wait(u32::MAX, 0.0), LONGEST_WAIT);
        assert_eq!(wait(0, 0.5), Duration::from_millis(150));
    }

    #[test]
    fn every_address_is_asked_before_it_waits() {
        let waits: Vec<u128> = (0..7).map(|failures| pause(failures, 3, 0.0).as_millis()).collect();
        assert_eq!(waits, [200, 0, 0, 400, 0, 0, 800]);
    }

    #[test]
    fn it_begins_at_any_address() {
        let first: Vec<usize> = [0.0, 0.33, 0.34, 0.66, 0.67, 0.999].map(|drawn| any_of(3, drawn)).to_vec();
        assert_eq!(first, [0, 0, 1, 1, 2, 2]);
        assert_eq!(any_of(1, 0.999), 0);
    }
}

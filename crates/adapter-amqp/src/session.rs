//! What lives as long as two connections do: one publishes, one consumes. With a single one, a broker that is short of
//! memory and stops reading publishes would stop reading acknowledgements too.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures::{Stream, StreamExt};
use lapin::options::BasicQosOptions;
use lapin::{Channel, Connection, ConnectionState, Event};
use postrider_ports::error::{PortError, PortResult};
use tokio::sync::watch;

use crate::connection::{bid_farewell, connect};
use crate::driver::Shared;
use crate::line::{Line, Source};
use crate::publisher::Publisher;
use crate::topology;

/// Two connections and everything on them. Whoever finds it broken says so; the driver then makes the next.
pub(crate) struct Session {
    pub(crate) publisher: Publisher,
    publishing: Connection,
    consuming: Connection,
    lines: tokio::sync::Mutex<Vec<Arc<Line>>>,
    /// For questions to the broker that are not answered in the way of messages: depths.
    pub(crate) questions: tokio::sync::Mutex<Option<Channel>>,
    /// For asking whether an epoch is there: the answer no ends the channel.
    pub(crate) epochs: tokio::sync::Mutex<Option<Channel>>,
    /// The epoch that was asked for last was only begun.
    pub(crate) is_begun: AtomicBool,
    /// For reading parked messages.
    pub(crate) parked: tokio::sync::Mutex<Option<Channel>>,
    /// The first reason why it is of no use any more.
    broken: watch::Sender<Option<String>>,
    /// Why the broker takes no publishes now.
    blocked: watch::Sender<Option<String>>,
}

impl Session {
    /// Connects twice to this address and declares everything.
    pub(crate) async fn open(shared: &Shared, url: &str) -> PortResult<Self> {
        let (publishing, consuming) = futures::try_join!(connect(url, "publish"), connect(url, "consume"))?;
        for warning in topology::declare_all(&publishing).await? {
            tracing::warn!("{warning}");
        }
        let publisher = Publisher::open(&publishing, &shared.costs).await.map_err(|error| {
            PortError::transient("could not open a channel for publishing").because(error)
        })?;
        Ok(Self {
            publisher,
            publishing,
            consuming,
            lines: tokio::sync::Mutex::default(),
            questions: tokio::sync::Mutex::default(),
            epochs: tokio::sync::Mutex::default(),
            is_begun: AtomicBool::new(false),
            parked: tokio::sync::Mutex::default(),
            broken: watch::Sender::new(None),
            blocked: watch::Sender::new(None),
        })
    }

    /// Publishes on another channel from now on, if it is still this one on which something was refused.
    pub(crate) async fn renew_publisher(&self, refused_on: u16) {
        if let Err(error) = self.answered(self.publisher.renew(&self.publishing, refused_on)).await {
            self.fail(&format!("could not open another channel for publishing: {error}"));
        }
    }

    /// What the connections report by themselves.
    pub(crate) fn events(&self) -> impl Stream<Item = Event> + Send + Unpin + use<'_> {
        futures::stream::select(
            Box::pin(self.publishing.events_listener()),
            Box::pin(self.consuming.events_listener()),
        )
        .fuse()
    }

    /// It is of no use any more.
    pub(crate) fn fail(&self, why: &str) {
        self.broken.send_if_modified(|broken| {
            let first = broken.is_none();
            broken.get_or_insert_with(|| why.to_owned());
            first
        });
    }

    /// Whether it is of no use any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.borrow().is_some()
    }

    /// Returns, with the reason, once it is of no use any more.
    pub(crate) async fn until_broken(&self) -> String {
        let mut broken = self.broken.subscribe();
        let why = broken.wait_for(Option::is_some).await;
        // `self` holds the sender, so waiting cannot fail.
        why.ok().and_then(|why| why.clone()).unwrap_or_default()
    }

    /// What the library answers, for as long as the session lives: what is asked of a connection that is just ending may
    /// never be answered (lapin 4.12 drops it without a word).
    pub(crate) async fn answered<T>(
        &self,
        asking: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, lapin::Error> {
        tokio::select! {
            biased;
            answer = asking => answer,
            _ = self.until_broken() => Err(lapin::ErrorKind::InvalidConnectionState(ConnectionState::Closed).into()),
        }
    }

    /// Why the broker takes no publishes now.
    pub(crate) fn blocked(&self) -> Option<String> {
        self.blocked.borrow().clone()
    }

    /// Returns once the broker takes none.
    pub(crate) async fn until_blocked(&self) {
        // `self` holds the sender, so waiting cannot fail.
        drop(self.blocked.subscribe().wait_for(Option::is_some).await);
    }

    /// Notes that the broker takes none, or takes them again.
    pub(crate) fn set_blocked(&self, why: Option<String>) {
        self.blocked.send_replace(why);
    }

    /// The line of a source, made when it is first asked for.
    pub(crate) async fn line(
        self: &Arc<Self>,
        source: Source,
        shared: &Arc<Shared>,
    ) -> PortResult<Arc<Line>> {
        let mut lines = self.lines.lock().await;
        if let Some(line) = lines.iter().find(|line| line.source == source) {
            return Ok(Arc::clone(line));
        }
        let opened = async {
            let channel = self.consuming.create_channel().await?;
            channel.basic_qos(source.prefetch(&shared.settings), BasicQosOptions::default()).await?;
            Ok::<_, lapin::Error>(channel)
        };
        let opened = self.answered(opened).await;
        let channel = opened.map_err(|error| self.lost("open a channel for consuming", &error))?;
        let line = Arc::new(Line::new(source, channel, self, shared));
        lines.push(Arc::clone(&line));
        Ok(line)
    }

    /// The line of a source, if there is one.
    pub(crate) async fn known_line(&self, source: Source) -> Option<Arc<Line>> {
        self.lines.lock().await.iter().find(|line| line.source == source).map(Arc::clone)
    }

    /// All lines.
    pub(crate) async fn lines(&self) -> Vec<Arc<Line>> {
        self.lines.lock().await.clone()
    }

    /// A channel for questions of one kind; a refusal ends a channel, and then the next one is made.
    pub(crate) async fn channel<'s>(
        &self,
        slot: &'s tokio::sync::Mutex<Option<Channel>>,
    ) -> PortResult<tokio::sync::MappedMutexGuard<'s, Channel>> {
        let mut slot = slot.lock().await;
        if !slot.as_ref().is_some_and(|channel| channel.status().connected()) {
            let channel = self.answered(self.consuming.create_channel()).await;
            *slot = Some(channel.map_err(|error| self.lost("open a channel", &error))?);
        }
        tokio::sync::MutexGuard::try_map(slot, Option::as_mut)
            .map_err(|_| PortError::transient("could not open a channel"))
    }

    /// The answer to a question, or that the session ended meanwhile: on a broken connection some never end by themselves.
    pub(crate) async fn unless_broken<T>(
        &self,
        answer: impl Future<Output = PortResult<T>>,
    ) -> PortResult<T> {
        tokio::select! {
            answer = answer => answer,
            why = self.until_broken() => {
                Err(PortError::transient(format!("the connection to the broker ended: {why}")))
            }
        }
    }

    /// Ends the session for an error on its connections.
    pub(crate) fn lost(&self, what: &str, error: &lapin::Error) -> PortError {
        self.fail(&format!("could not {what}: {error}"));
        PortError::transient(format!("could not {what}")).because(error.clone())
    }

    /// Closes both connections. What is held goes back to its queues.
    pub(crate) async fn close(&self) {
        self.fail("closed");
        futures::join!(bid_farewell(&self.consuming), bid_farewell(&self.publishing));
    }
}

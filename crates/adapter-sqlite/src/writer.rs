//! Where writes go in: pieces of work, each answered once it is durable.

use futures::future::BoxFuture;
use postrider_ports::error::{PortError, PortResult};
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;

/// How much work may wait; beyond that, whoever brings more waits in front of the channel.
const WAITING: usize = 1024;

/// Where writes go in.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

/// What the driver is told.
pub(crate) enum Job {
    /// Do this.
    Work(Box<dyn Work>),
    /// Finish what was brought before this, then end.
    Close,
}

/// How a piece of work is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// One statement: it undoes itself.
    Single,
    /// Several: all or none.
    Several,
}

/// One piece of work; its types are known only to who brought it.
pub(crate) trait Work: Send {
    /// How it is run.
    fn size(&self) -> Size;
    /// Does it. Called once.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Result<(), Fault>>;
    /// It is durable: tell.
    fn committed(self: Box<Self>);
    /// It did not happen: tell.
    fn failed(self: Box<Self>, fault: Fault);
}

/// What work looks like: it borrows the connection for as long as it takes.
pub(crate) type Step<'c, T> = BoxFuture<'c, Result<T, Fault>>;

/// Says of a closure that it is work; the compiler does not find out by itself.
pub(crate) fn step<T, F>(work: F) -> F
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, T> + Send + 'static,
{
    work
}

struct Task<F, T, G, U> {
    what: &'static str,
    size: Size,
    work: Option<F>,
    value: Option<T>,
    then: G,
    answer: oneshot::Sender<PortResult<U>>,
}

impl<F, T, G, U> Work for Task<F, T, G, U>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, T> + Send,
    T: Send,
    G: FnOnce(T) -> U + Send,
    U: Send,
{
    fn size(&self) -> Size {
        self.size
    }

    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Result<(), Fault>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.value = Some(work(connection).await?);
            }
            Ok(())
        })
    }

    fn committed(self: Box<Self>) {
        if let Some(value) = self.value {
            // Who no longer waits needs no answer; what the value holds is let go.
            drop(self.answer.send(Ok((self.then)(value))));
        }
    }

    fn failed(self: Box<Self>, fault: Fault) {
        drop(self.answer.send(Err(fault.into_port(self.what))));
    }
}

impl Writer {
    /// The writer's two ends.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, waiting) = mpsc::channel(WAITING);
        (Self { jobs }, waiting)
    }

    /// Does one statement's work and waits until it is durable. `what` completes "could not …".
    pub(crate) async fn single<F, T>(&self, what: &'static str, work: F) -> PortResult<T>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, T> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(what, Size::Single, work, |value| value).await
    }

    /// Does the work of several statements, all or none, and waits until it is durable.
    pub(crate) async fn several<F, T>(&self, what: &'static str, work: F) -> PortResult<T>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, T> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(what, Size::Several, work, |value| value).await
    }

    /// As above; `then` runs right after the commit, whether or not the caller still waits.
    pub(crate) async fn submit<F, T, G, U>(
        &self,
        what: &'static str,
        size: Size,
        work: F,
        then: G,
    ) -> PortResult<U>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, T> + Send + 'static,
        T: Send + 'static,
        G: FnOnce(T) -> U + Send + 'static,
        U: Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        let task = Task { what, size, work: Some(work), value: None, then, answer };
        let closed = || PortError::transient(format!("could not {what}: the database is closed"));
        self.jobs.send(Job::Work(Box::new(task))).await.map_err(|_| closed())?;
        done.await.map_err(|_| closed())?
    }

    /// Lets the driver finish.
    pub(crate) async fn close(&self) {
        // A driver that is gone has finished.
        drop(self.jobs.send(Job::Close).await);
    }
}

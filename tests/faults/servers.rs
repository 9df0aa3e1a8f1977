//! The servers of the suite. They take longer to start than most stories take to tell, so they stay while another story
//! waits for them. Each story has a virtual host and a database of its own on them, and may kill them.

mod cluster;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use postrider_testkit::servers::disk::Disk;
use postrider_testkit::servers::postgres::OnDisk;
use postrider_testkit::servers::{postgres, rabbitmq, redis};
use tokio::runtime::Builder;
use tokio::sync::{Mutex, MutexGuard, oneshot};

/// Held by each story while it runs; in it are the servers, if they run.
static TURN: Mutex<Option<Own>> = Mutex::const_new(None);
/// Stories that wait for their turn.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// A story's turn.
pub(crate) type Turn = MutexGuard<'static, Option<Own>>;

/// Servers that a story may kill, stop and start again on the same data.
pub(crate) struct Own {
    rabbitmq: Option<rabbitmq::Broker>,
    redis: Option<redis::Server>,
    postgres: Option<postgres::Server>,
    /// Three brokers that are one, for a story that wants them beside the usual one.
    cluster: Option<rabbitmq::Cluster>,
    /// The usual one, while a story has another on a disk that it fills.
    spare: Option<postgres::Server>,
}

/// Waits until no other story runs; the servers as well, empty but for what earlier stories left behind.
pub(crate) async fn take() -> (Turn, Own) {
    WAITING.fetch_add(1, Ordering::SeqCst);
    let mut turn = TURN.lock().await;
    WAITING.fetch_sub(1, Ordering::SeqCst);
    let own = match turn.take() {
        Some(own) => own,
        None => Own::start().await.expect("the servers start"),
    };
    (turn, own)
}

/// Hands the servers to the story that waits; without one they end.
pub(crate) fn hand_on(mut turn: Turn, mut own: Own) {
    own.cluster = None;
    own.postgres = own.spare.take().or(own.postgres);
    *turn = (WAITING.load(Ordering::SeqCst) > 0).then_some(own);
}

/// Runs this in a thread that stays: a server dies with the thread that started it, and that of a story ends with it.
async fn kept<T, W>(what: impl FnOnce() -> W + Send + 'static) -> io::Result<T>
where
    T: Send + 'static,
    W: Future<Output = io::Result<T>>,
{
    let (done, result) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        // Who no longer waits has failed already.
        drop(done.send(runtime.block_on(what())));
        runtime.block_on(std::future::pending::<()>());
    });
    result.await.map_err(io::Error::other)?
}

impl Own {
    async fn start() -> io::Result<Self> {
        let rabbitmq = kept(rabbitmq::Broker::start);
        let (redis, postgres) = (kept(redis::Server::start), kept(postgres::Server::start));
        let (rabbitmq, redis, postgres) = futures::future::try_join3(rabbitmq, redis, postgres).await?;
        Ok(Self {
            rabbitmq: Some(rabbitmq),
            redis: Some(redis),
            postgres: Some(postgres),
            cluster: None,
            spare: None,
        })
    }

    /// The broker, to ask it something. What stops it and starts it again is here, so that it outlives the story.
    pub(crate) fn rabbitmq(&self) -> &rabbitmq::Broker {
        self.rabbitmq.as_ref().expect("it is there")
    }

    /// Redis, to ask it something.
    pub(crate) fn redis(&self) -> &redis::Server {
        self.redis.as_ref().expect("it is there")
    }

    /// Postgres, to ask it something.
    pub(crate) fn postgres(&self) -> &postgres::Server {
        self.postgres.as_ref().expect("it is there")
    }

    /// SIGKILL to RabbitMQ.
    pub(crate) async fn kill_rabbitmq(&mut self) {
        self.rabbitmq.as_mut().expect("it is there").kill().await;
    }

    /// SIGKILL to RabbitMQ, and its disk is gone.
    pub(crate) async fn wipe_rabbitmq(&mut self) {
        self.rabbitmq.as_mut().expect("it is there").wipe().await.expect("its disk goes");
    }

    /// Ends RabbitMQ as an operator does.
    pub(crate) async fn stop_rabbitmq(&mut self) {
        self.rabbitmq.as_mut().expect("it is there").stop().await;
    }

    /// Starts RabbitMQ again on the same data, and waits until it answers.
    pub(crate) async fn start_rabbitmq(&mut self) {
        let mut server = self.rabbitmq.take().expect("it is there");
        let started = kept(|| async move { server.start_again().await.map(|()| server) }).await;
        self.rabbitmq = Some(started.expect("RabbitMQ starts"));
    }

    /// SIGKILL to Redis: what it held is gone.
    pub(crate) async fn kill_redis(&mut self) {
        self.redis.as_mut().expect("it is there").kill().await;
    }

    /// Starts Redis again, empty, and waits until it answers.
    pub(crate) async fn start_redis(&mut self) {
        let mut server = self.redis.take().expect("it is there");
        let started = kept(|| async move { server.start_again().await.map(|()| server) }).await;
        self.redis = Some(started.expect("Redis starts"));
    }

    /// Lets the story have a Postgres of which this lies on a small disk of its own.
    pub(crate) async fn postgres_on_disk(&mut self, mebibytes: u32, what: OnDisk) {
        let start = move || async move {
            let disk = Disk::mount(mebibytes).await?;
            postgres::Server::start_on(disk, what).await
        };
        let server = kept(start).await.expect("Postgres starts on a small disk");
        self.spare = self.postgres.replace(server);
    }

    /// Waits until Postgres has ended by itself.
    pub(crate) async fn ended_postgres(&mut self) {
        self.postgres.as_mut().expect("it is there").ended().await.expect("Postgres ends");
    }

    /// SIGKILL to Postgres.
    pub(crate) async fn kill_postgres(&mut self) {
        self.postgres.as_mut().expect("it is there").kill().await;
    }

    /// Ends Postgres as an operator does who does not wait for its clients.
    pub(crate) async fn stop_postgres(&mut self) {
        self.postgres.as_mut().expect("it is there").stop().await;
    }

    /// Starts Postgres again on the same data, and waits until it answers.
    pub(crate) async fn start_postgres(&mut self) {
        let mut server = self.postgres.take().expect("it is there");
        let started = kept(|| async move { server.start_again().await.map(|()| server) }).await;
        self.postgres = Some(started.expect("Postgres starts"));
    }

    /// SIGKILL to all three.
    pub(crate) async fn kill_all(&mut self) {
        self.kill_redis().await;
        self.kill_postgres().await;
        self.kill_rabbitmq().await;
    }

    /// Starts all three again.
    pub(crate) async fn start_all(&mut self) {
        self.start_redis().await;
        self.start_postgres().await;
        self.start_rabbitmq().await;
    }
}

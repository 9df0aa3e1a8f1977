//! The whole system in one process on one SQLite file: the same services as everywhere, over `adapter-sqlite` for queues,
//! store and log, and `adapter-memory` for what may be forgotten.

use std::error::Error;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use postrider_adapter_memory::{
    Alone, MemoryBreakers, MemoryClaims, MemoryMarks, MemoryRates, MemoryWindows,
};
use postrider_adapter_sqlite::{Database, OpenError};
use postrider_domain::webhook::PlainHttp;
use postrider_ports::access::Tokens;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::PortError;
use postrider_runtime::health::Health;
use postrider_runtime::http::serve;
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::supervisor::{Exit, Supervisor};
use postrider_runtime::telemetry::metrics_router;

use super::catch_up::caught_up;
use super::clock::SystemClock;
use super::first_token::first_token;
use super::keyring::key_ring;
use super::ports::{Log, Memory, Outward, Queues, Store};
use super::random::OsRandom;
use super::services::Stage;
use super::web::{bound, outward, url};
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// A running system.
pub struct Embedded {
    addr: SocketAddr,
    new_token: Option<String>,
    plain_http: PlainHttp,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    supervisor: Supervisor,
}

impl Embedded {
    /// Binds the port, opens the data folder, starts every service, and returns once all are ready. Nothing is made on
    /// disk before the port is had. A first start makes an admin token; a later one does if `wants_token`.
    ///
    /// # Errors
    /// A [`Failure`] that says what could not be had, and what to do.
    pub async fn start(settings: &Settings, wants_token: bool, shutdown: &Shutdown) -> anyhow::Result<Self> {
        let bound = bound(settings).await?;
        let addr = bound.addr();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        make_private(&settings.data.dir);
        let file = postrider_adapter_sqlite::Settings::new(&settings.data.dir);
        let (database, driver) =
            Database::open(&file, Arc::clone(&clock)).await.map_err(|error| cannot_open(&error))?;
        let database = Arc::new(database);
        let mut supervisor = Supervisor::new(shutdown.clone());
        // It ends by itself when the last service has let go of the database.
        supervisor.spawn("database", async move {
            driver.run().await;
            Ok::<_, PortError>(())
        });
        let first_start = database.list().await.map_err(|error| unusable(&error))?.is_empty();
        let ring = Arc::new(key_ring(settings, first_start, Arc::clone(&clock), Arc::clone(&random))?);
        let outward = outward(settings, addr, ring)?;
        let plain_http = outward.plain_http;
        let health = Health::new(shutdown.clone());
        let stage =
            Stage { settings, health: &health, shutdown, clock: clock.clone(), random: random.clone() };
        let parts = Parts::new(&database, &clock, !first_start, outward);
        let (routes, new_token) = parts.spawn(&stage, &mut supervisor, wants_token).await?;
        let serving = serve(bound, routes.merge(health.router()).merge(metrics_router()), shutdown.clone());
        supervisor.spawn("http", async move {
            serving.await;
            Ok::<_, PortError>(())
        });
        // From here on only the services hold the database.
        drop((parts, database));
        tokio::select! {
            () = health.until_ready() => {}
            () = shutdown.stopping() => anyhow::bail!("stopped before everything was ready: {:?}", health.not_ready()),
        }
        Ok(Self { addr, new_token, plain_http, clock, random, supervisor })
    }

    /// Where it listens. An address that stands for all of a machine's is shown as that of this machine.
    pub fn url(&self) -> String {
        url(self.addr)
    }

    /// The admin token, if one was made.
    pub fn new_token(&self) -> Option<&str> {
        self.new_token.as_deref()
    }

    /// Whether webhooks may call `http://` addresses.
    pub fn plain_http(&self) -> PlainHttp {
        self.plain_http
    }

    /// Its clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Its source of chance.
    pub fn random(&self) -> Arc<dyn Random> {
        Arc::clone(&self.random)
    }

    /// Runs one more task under the same supervisor.
    pub fn spawn<F, E>(&mut self, name: &str, work: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.supervisor.spawn(name, work);
    }

    /// Runs until somebody asks to stop, then gives the work in hand up to `grace`.
    pub async fn run(self, grace: Duration) -> Exit {
        self.supervisor.run_until_stopped(grace).await
    }
}

/// What stands behind the ports here.
struct Parts {
    queues: Queues,
    store: Store,
    log: Log,
    memory: Memory,
    outward: Outward,
}

impl Parts {
    /// `cold`: an earlier process may have accepted ids that this one does not remember.
    fn new(database: &Arc<Database>, clock: &Arc<dyn Clock>, cold: bool, outward: Outward) -> Self {
        let memory = Memory {
            claims: Arc::new(MemoryClaims::new(clock.clone(), cold)),
            marks: Arc::new(MemoryMarks::new(clock.clone())),
            windows: Arc::new(MemoryWindows::new(clock.clone())),
            rates: Arc::new(MemoryRates::new(clock.clone())),
            breakers: Arc::new(MemoryBreakers::new(clock.clone())),
        };
        let (queues, store, log) =
            (Queues::of(database, None), Store::of(database), Log::of(database, Arc::new(Alone)));
        Self { queues, store, log, memory, outward }
    }

    /// Starts every service; the routes of their doors, and the admin token if one was made.
    async fn spawn(
        &self,
        stage: &Stage<'_>,
        supervisor: &mut Supervisor,
        wants_token: bool,
    ) -> anyhow::Result<(Router, Option<String>)> {
        let Self { queues, store, log, memory, outward } = self;
        let control = stage.control(queues, store, log, outward);
        let new_token = first_token(&control, wants_token).await.map_err(|error| unusable(&error))?;
        let caught_up = caught_up(
            queues.depths.clone(),
            stage.clock.clone(),
            stage.health.component("log"),
            stage.shutdown.clone(),
        );
        let dispatcher = stage.dispatcher(queues, store, log, memory, outward);
        supervisor.spawn("dispatcher", async move {
            caught_up.await?;
            dispatcher.await
        });
        supervisor.spawn("log-writer", stage.log_writer(queues, log));
        supervisor.spawn("jobs", stage.jobs(queues, store, log, memory));
        let (doors, ingest) = stage.ingest(queues, store, memory, &outward.secrets);
        supervisor.spawn("ingest", ingest);
        let api = postrider_api::router(Arc::new(control), stage.shutdown.clone());
        Ok((doors.merge(api), new_token.text()))
    }
}

/// Makes the data folder for its owner alone, if it is not there. What keeps it from being made, opening it will tell.
fn make_private(dir: &Path) {
    let _ = DirBuilder::new().recursive(true).mode(0o700).create(dir);
}

fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Code::CannotStart, error.to_string());
    failure.next("the data folder is the setting data.dir (flag --data-dir)")
}

/// The database was opened, but what a start needs cannot be read or written.
fn unusable(error: &dyn Error) -> Failure {
    let failure = Failure::new(Code::CannotStart, format!("the database cannot be used: {error}"));
    failure.next("make sure that data.dir (flag --data-dir) is writable and that its disk has room")
}

//! The whole system in one process on one SQLite file: the same services as everywhere, over `adapter-sqlite` for queues,
//! store and log, and `adapter-memory` for what may be forgotten.

use std::error::Error;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_http::GuardedClient;
use postrider_adapter_sqlite::{Database, OpenError};
use postrider_control::tokens::TokenDraft;
use postrider_control::{Actor, Control, ControlError, ControlResult};
use postrider_domain::id::TokenId;
use postrider_domain::token::{Grant, Role};
use postrider_domain::webhook::PlainHttp;
use postrider_ports::access::Tokens;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::PortError;
use postrider_runtime::health::Health;
use postrider_runtime::http::{Bound, Limits, bind, serve};
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::supervisor::{Exit, Supervisor};

use super::clock::SystemClock;
use super::keyring::key_ring;
use super::random::OsRandom;
use super::services::{Adapters, Stage};
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
        let plain_http = settings.outbound.plain_http.unwrap_or(if addr.ip().is_loopback() {
            PlainHttp::Loopback
        } else {
            PlainHttp::Never
        });
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
        let secrets = Arc::new(key_ring(settings, first_start, Arc::clone(&random))?);
        let guarded = postrider_adapter_http::Settings { plain_http, allow: settings.outbound.allow.clone() };
        let sender = Arc::new(
            GuardedClient::new(&guarded)
                .map_err(|error| Failure::new(Code::CannotStart, error.to_string()))?,
        );
        let adapters = Adapters { database, secrets, sender, clock: clock.clone(), random: random.clone() };

        let control = adapters.control(plain_http);
        let new_token = token(&control, wants_token).await.map_err(|error| unusable(&error))?;
        let health = Health::new(shutdown.clone());
        let mut stage = Stage { settings, supervisor: &mut supervisor, health: &health, shutdown };
        adapters.spawn_workers(&mut stage);
        let routes = adapters
            .spawn_ingest(&mut stage, !first_start)
            .merge(postrider_api::router(Arc::new(control), shutdown.clone()));
        let serving = serve(bound, routes.merge(health.router()), shutdown.clone());
        supervisor.spawn("http", async move {
            serving.await;
            Ok::<_, PortError>(())
        });
        // From here on only the services hold the database.
        drop(adapters);
        tokio::select! {
            () = health.until_ready() => {}
            () = shutdown.stopping() => anyhow::bail!("stopped before everything was ready: {:?}", health.not_ready()),
        }
        Ok(Self { addr, new_token, plain_http, clock, random, supervisor })
    }

    /// Where it listens. An address that stands for all of a machine's is shown as that of this machine.
    pub fn url(&self) -> String {
        let mut addr = self.addr;
        if addr.ip().is_unspecified() {
            addr.set_ip(if addr.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        format!("http://{addr}")
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

async fn bound(settings: &Settings) -> Result<Bound, Failure> {
    let server = &settings.server;
    let bound = bind(server.bind, "server.bind (flag --bind)").await;
    let bound = bound.map_err(|error| Failure::new(Code::CannotStart, error.to_string()))?;
    let limits =
        Limits { connections: server.connections, head_timeout: server.head_timeout, ..Limits::default() };
    Ok(bound.with_limits(limits))
}

/// The space, environment and token of a first start, or one more admin token: whoever holds the data folder rules the
/// instance.
async fn token(control: &Control, wanted: bool) -> ControlResult<Option<String>> {
    if let Some(first) = control.bootstrap().await? {
        return Ok(Some(first.reveal().to_owned()));
    }
    if !wanted {
        return Ok(None);
    }
    let grant = Grant { space: None, role: Role::Admin };
    let name = "made with serve --new-token".to_owned();
    let id = TokenId::new("operator").map_err(|error| ControlError::Conflict(error.to_string()))?;
    let operator = Actor { token: id, name: "the operator".to_owned(), grant };
    let draft = TokenDraft { name, role: Role::Admin, space: None, expires_at: None };
    Ok(Some(control.create_token(&operator, draft).await?.secret.reveal().to_owned()))
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

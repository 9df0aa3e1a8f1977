//! One process of the distributed system: the same services as everywhere, over RabbitMQ, Redis and Postgres.
//!
//! It serves its health at once and reaches its servers afterwards, for as long as that takes: a process that waits for a
//! broker is alive, says what it waits for, and needs nobody to start it again.

mod cost;
pub mod doctor;
mod leash;
pub mod migrate;
pub mod reconcile;
mod servers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::PortError;
use postrider_runtime::health::Health;
use postrider_runtime::http::serve;
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::supervisor::{Exit, Supervisor};
use postrider_runtime::telemetry::metrics_router;

use self::leash::{Leash, Loose};
use self::servers::Servers;
use super::clock::SystemClock;
use super::keyring::shared_ring;
use super::late::Late;
use super::ports::Outward;
use super::random::OsRandom;
use super::services::{Stage, Work};
use super::web::{bound, bound_at, outward, url};
use crate::settings::Settings;

pub(crate) use self::servers::broker_settings;

/// The component that is ready once the services are started.
const START: &str = "start";

/// What a process does. Each is scaled by starting another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes events in, over HTTP and from the broker.
    Ingest,
    /// Matches and delivers.
    Dispatcher,
    /// Keeps the records.
    LogWriter,
    /// Background work of one leader.
    Jobs,
    /// The management API.
    Api,
}

/// A process that is alive, and may not have reached its servers yet.
pub struct Process {
    role: Role,
    addr: SocketAddr,
    health: Health,
    shutdown: Shutdown,
    late: Late,
    /// What calls and secrets take; only for roles that need it.
    outward: Option<Outward>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    supervisor: Supervisor,
    leash: Leash,
    /// Taken when the servers are reached.
    loose: Option<Loose>,
}

impl Role {
    /// As in the command line and in telemetry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Dispatcher => "dispatcher",
            Self::LogWriter => "log-writer",
            Self::Jobs => "jobs",
            Self::Api => "api",
        }
    }

    fn opens_secrets(self) -> bool {
        matches!(self, Self::Ingest | Self::Dispatcher | Self::Api)
    }
}

impl Process {
    /// Binds its port and serves health there.
    ///
    /// # Errors
    /// A [`crate::exit::Failure`] when the port or the key ring cannot be had.
    pub async fn open(role: Role, settings: &Settings, shutdown: &Shutdown) -> anyhow::Result<Self> {
        let bound = bound(settings).await?;
        let addr = bound.addr();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let outward = if role.opens_secrets() {
            let ring = Arc::new(shared_ring(settings, Arc::clone(&clock), Arc::clone(&random))?);
            Some(outward(settings, addr, ring)?)
        } else {
            None
        };
        let health = Health::new(shutdown.clone());
        let mut supervisor = Supervisor::new(shutdown.clone());
        let (leash, loose) = Leash::new();
        let late = Late::default();
        // Not ready until its services are started.
        let _starting = health.component(START);
        let told = health.router().merge(metrics_router());
        let public = match settings.server.admin {
            None => late.router().merge(told),
            Some(addr) => {
                let admin = bound_at(settings, addr, "server.admin").await?;
                let serving = serve(admin, told, shutdown.clone());
                supervisor.spawn("admin", leash.hold(done(serving)));
                late.router()
            }
        };
        supervisor.spawn("http", leash.hold(done(serve(bound, public, shutdown.clone()))));
        let (shutdown, loose) = (shutdown.clone(), Some(loose));
        Ok(Self { role, addr, health, shutdown, late, outward, clock, random, supervisor, leash, loose })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        url(self.addr)
    }

    /// Reaches the servers, however long it takes, and starts the services. Returns early when it is asked to stop.
    ///
    /// # Errors
    /// A [`crate::exit::Failure`] for what waiting does not heal: a schema of a later release, an address that is none.
    pub async fn compose(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let stage = Stage {
            settings,
            health: &self.health,
            shutdown: &self.shutdown,
            clock: self.clock.clone(),
            random: self.random.clone(),
        };
        let Some(loose) = self.loose.take() else { return Ok(()) };
        let connecting = Servers::connect(self.role, &stage, &mut self.supervisor, &self.leash, loose);
        let Some(servers) = connecting.await? else { return Ok(()) };
        let (routes, work) = services(self.role, &stage, &servers, self.outward.as_ref());
        if let Some(work) = work {
            self.supervisor.spawn(self.role.name(), self.leash.hold(work));
        }
        if let Some(routes) = routes {
            self.late.open(routes);
        }
        self.health.component(START).ready();
        Ok(())
    }

    /// Runs until somebody asks to stop, then gives the work in hand up to `grace`. The connections close last.
    pub async fn run(self, grace: Duration) -> Exit {
        // Only tasks hold the leash from here on.
        drop((self.leash, self.outward));
        self.supervisor.run_until_stopped(grace).await
    }
}

/// The doors and the work of a role.
fn services(
    role: Role,
    stage: &Stage<'_>,
    servers: &Servers,
    outward: Option<&Outward>,
) -> (Option<Router>, Option<Work>) {
    let Servers { queues, store, log, memory } = servers;
    match (role, outward) {
        (Role::Ingest, Some(outward)) => {
            let (doors, work) = stage.ingest(queues, store, memory, &outward.secrets);
            (Some(doors), Some(work))
        }
        (Role::Dispatcher, Some(outward)) => {
            (None, Some(stage.dispatcher(queues, store, log, memory, outward)))
        }
        (Role::Api, Some(outward)) => {
            let control = Arc::new(stage.control(queues, store, log, outward));
            (Some(postrider_api::router(control, stage.shutdown.clone())), None)
        }
        (Role::LogWriter, _) => (None, Some(stage.log_writer(queues, log))),
        (Role::Jobs, _) => (None, Some(stage.jobs(queues, store, log, memory))),
        (Role::Ingest | Role::Dispatcher | Role::Api, None) => {
            unreachable!("Process::open brings what each role needs")
        }
    }
}

/// A task that cannot fail.
async fn done(work: impl Future<Output = ()>) -> Result<(), PortError> {
    work.await;
    Ok(())
}

//! Reaches RabbitMQ, Redis and Postgres, and puts them behind the ports.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_amqp::{Amqp, Status};
use postrider_adapter_postgres::{Database, OpenError, Term};
use postrider_adapter_redis::{
    Announced, Redis, RedisBreakers, RedisClaims, RedisMarks, RedisRates, RedisSubscriptions, RedisWindows,
};
use postrider_ingest::UNVERIFIED_FOR;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortError;
use postrider_runtime::health::Component;
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::supervisor::Supervisor;
use tokio::sync::watch;
use tracing::warn;

use super::leash::{Leash, Loose};
use super::{Role, cost, done};
use crate::compose::ports::{Log, Memory, Queues, Store};
use crate::compose::services::{Stage, room};
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// Between two attempts to open the database: it answers or refuses at once, or has already taken 10 s.
const AGAIN: Duration = Duration::from_secs(1);

/// How often an open database is asked whether it still answers.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// What stands behind the ports here.
pub(super) struct Servers {
    pub(super) queues: Queues,
    pub(super) store: Store,
    pub(super) log: Log,
    pub(super) memory: Memory,
}

impl Servers {
    /// Connects to what a role needs. `None`: it was asked to stop meanwhile.
    pub(super) async fn connect(
        role: Role,
        stage: &Stage<'_>,
        supervisor: &mut Supervisor,
        leash: &Leash,
        loose: Loose,
    ) -> anyhow::Result<Option<Self>> {
        let amqp = broker(stage, supervisor);
        let redis = cache(stage.settings)?;
        let component = stage.health.component("store");
        let opening = database(stage.settings, &stage.clock, &component);
        let (database, driver) = tokio::select! {
            biased;
            () = stage.shutdown.stopping() => {
                supervisor.spawn("connections", close_after(loose, amqp, None));
                return Ok(None);
            }
            opened = opening => opened?,
        };
        supervisor.spawn("database", done(driver.run()));
        let database = Arc::new(database);
        cost::of_cache(&redis);
        cost::of_database(&database);
        supervisor.spawn("connections", close_after(loose, amqp.clone(), Some(database.clone())));
        let asking =
            ask(database.clone(), stage.clock.clone(), component, stage.shutdown.clone(), role.manages_for());
        supervisor.spawn("database's health", leash.hold(done(asking)));

        let clock = &stage.clock;
        let cached = Arc::new(RedisSubscriptions::new(redis.clone(), database.clone(), clock.clone()));
        if role == Role::Dispatcher {
            supervisor.spawn("hints", leash.hold(done(listen(cached.clone(), stage.shutdown.clone()))));
        }
        let announced = Arc::new(Announced::new(database.clone(), cached.clone()));
        let claims = Arc::new(RedisClaims::new(redis.clone(), clock.clone()));
        // The memory of a new deployment was begun by `migrate`. If it cannot be begun now, the first claim does it.
        if role == Role::Ingest
            && let Err(error) = claims.begin(false).await
        {
            warn!(%error, "the memory of event ids begins later");
        }
        let memory = Memory {
            claims,
            marks: Arc::new(RedisMarks::new(redis.clone(), clock.clone())),
            windows: Arc::new(RedisWindows::new(redis.clone(), clock.clone())),
            rates: Arc::new(RedisRates::new(redis.clone(), clock.clone())),
            breakers: Arc::new(RedisBreakers::new(redis, clock.clone())),
        };
        let store = Store {
            registry: announced.clone(),
            spaces: announced.clone(),
            disable: announced,
            subscriptions: cached,
            ..Store::of(&database)
        };
        let queues = Queues::of(&Arc::new(amqp.clone()), Some(Arc::new(amqp)));
        Ok(Some(Self { queues, store, log: Log::of(&database, Arc::new(Term::new(&database))), memory }))
    }
}

/// The broker's settings: a dispatcher holds what its room takes.
pub(crate) fn broker_settings(settings: &Settings) -> postrider_adapter_amqp::Settings {
    let prefetch = u16::try_from(room(settings.dispatcher.permits)).unwrap_or(u16::MAX);
    postrider_adapter_amqp::Settings { prefetch, ..postrider_adapter_amqp::Settings::new(&settings.amqp.url) }
}

/// The queues on the broker, which are reached by and by.
fn broker(stage: &Stage<'_>, supervisor: &mut Supervisor) -> Amqp {
    let settings = broker_settings(stage.settings);
    let (amqp, driver) = Amqp::new(settings, stage.clock.clone(), stage.random.clone());
    cost::of_broker(&amqp);
    supervisor.spawn("broker", done(driver.run()));
    supervisor.spawn("broker's health", done(tell(amqp.status(), stage.health.component("broker"))));
    amqp
}

/// Passes on what the broker is to us.
async fn tell(mut status: watch::Receiver<Status>, component: Component) {
    loop {
        match &*status.borrow_and_update() {
            Status::Ready => component.ready(),
            Status::Away(why) => component.not_ready(why.clone()),
            Status::Closed => return,
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// The cache, which is reached with the first call.
pub(super) fn cache(settings: &Settings) -> Result<Arc<Redis>, Failure> {
    Redis::new(&settings.redis.url).map_err(|error| {
        Failure::new(Code::Configuration, error.to_string()).next("correct the setting redis.url")
    })
}

/// The address of the database, read.
pub(super) fn database_settings(
    settings: &Settings,
) -> Result<postrider_adapter_postgres::Settings, Failure> {
    let read = postrider_adapter_postgres::Settings::new(&settings.postgres.url);
    let mut read = read.map_err(|error| {
        Failure::new(Code::Configuration, error.to_string()).next("correct the setting postgres.url")
    })?;
    read.connections = settings.postgres.connections;
    Ok(read)
}

/// Opens the database, however long that takes; ends only for what time does not heal.
async fn database(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    component: &Component,
) -> Result<(Database, postrider_adapter_postgres::Driver), Failure> {
    let settings = database_settings(settings)?;
    loop {
        match Database::open(&settings, clock.clone()).await {
            Ok(opened) => {
                component.ready();
                return Ok(opened);
            }
            Err(error) if error.is_transient() => component.not_ready(error.to_string()),
            Err(error) => return Err(cannot_open(&error)),
        }
        clock.sleep_until(clock.now().plus(AGAIN)).await;
    }
}

/// Listens for hints at changed webhooks, which lets dispatchers obey at once instead of at their next look.
async fn listen(cached: Arc<RedisSubscriptions>, stop: Shutdown) {
    tokio::select! {
        () = stop.stopping() => {}
        () = cached.listen() => {}
    }
}

impl Role {
    /// How long it can do its work without the database. Ingest and dispatchers go on with what they know, so they must not
    /// be taken out of service; everyone else's work is the database.
    fn manages_for(self) -> Duration {
        match self {
            Self::Ingest | Self::Dispatcher => UNVERIFIED_FOR,
            Self::LogWriter | Self::Jobs | Self::Api => Duration::ZERO,
        }
    }
}

/// Asks the database again and again whether it is there, until the process stops. What can manage without it for a time is
/// not ready only after that.
async fn ask(
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    component: Component,
    stop: Shutdown,
    manages: Duration,
) {
    let mut answered_at = clock.now();
    loop {
        tokio::select! {
            biased;
            () = stop.stopping() => return,
            () = clock.sleep_until(clock.now().plus(ASK_EVERY)) => {}
        }
        let asked_at = clock.now();
        match database.ping().await {
            Ok(()) => {
                answered_at = asked_at;
                component.ready();
            }
            Err(error) if clock.now().since(answered_at) >= manages => component.not_ready(error.to_string()),
            Err(error) => warn!(%error, "the database does not answer; going on with what is known"),
        }
    }
}

/// What keeps the database closed.
pub(super) fn cannot_open(error: &OpenError) -> Failure {
    let failure = Failure::new(Code::CannotStart, error.to_string());
    failure.next("the database is the setting postgres.url; `postrider doctor` looks at all servers")
}

/// Closes the connections once nobody needs them.
async fn close_after(loose: Loose, amqp: Amqp, database: Option<Arc<Database>>) -> Result<(), PortError> {
    loose.all().await;
    amqp.close().await;
    if let Some(database) = database {
        database.close().await;
    }
    Ok(())
}

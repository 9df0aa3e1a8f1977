//! What a deployment needs before its processes: the schema, the topology of the broker, and a first token.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_amqp::topology;
use postrider_adapter_postgres::{Database, SCHEMA, Term};
use postrider_adapter_redis::RedisClaims;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::PortError;
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use tracing::info;

use super::servers::{broker_settings, cache, cannot_open, database_settings};
use crate::compose::clock::SystemClock;
use crate::compose::first_token::{FirstToken, first_token};
use crate::compose::keyring::shared_ring;
use crate::compose::ports::{Log, Queues, Store};
use crate::compose::random::OsRandom;
use crate::compose::services::Stage;
use crate::compose::web::outward;
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// Between two attempts to reach a server.
const AGAIN: Duration = Duration::from_secs(1);

/// What was done.
#[derive(Debug)]
pub struct Migrated {
    /// The generation of the schema.
    pub schema: i32,
    /// The admin token, if one was made; to be shown once.
    pub token: Option<String>,
    /// What the broker has otherwise than we would declare it.
    pub warnings: Vec<String>,
}

/// Brings Postgres and the broker up to date. Servers that are away are tried again for as long as `wait`.
///
/// # Errors
/// When a server stays away, or refuses for good.
pub async fn migrate(settings: &Settings, wants_token: bool, wait: Duration) -> anyhow::Result<Migrated> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let ring = Arc::new(shared_ring(settings, clock.clone(), random.clone())?);
    let patience = Patience { clock: clock.clone(), until: clock.monotonic() + wait };

    let mut warnings =
        patience.with("the broker", async || topology::declare(&broker_settings(settings)).await).await?;
    let address = database_settings(settings)?;
    let (database, driver) = loop {
        match Database::open(&address, clock.clone()).await {
            Ok(opened) => break opened,
            Err(error) if error.is_transient() && patience.lasts() => patience.pause(&error).await,
            Err(error) => return Err(cannot_open(&error).into()),
        }
    };
    // Nobody waits for hints here.
    drop(driver);
    // Before the token is made: it is shown once, and only by a run that comes to its end.
    let redis = cache(settings)?;
    patience.with("the cache", async || redis.ping().await).await?;
    let database = Arc::new(database);
    let shutdown = Shutdown::new();
    let health = Health::new(shutdown.clone());
    let stage = Stage {
        settings,
        health: &health,
        shutdown: &shutdown,
        clock: clock.clone(),
        random: random.clone(),
    };
    // Making a token publishes nothing, so this broker is never reached.
    let (amqp, _unused) = postrider_adapter_amqp::Amqp::new(broker_settings(settings), clock.clone(), random);
    let outward = outward(settings, settings.server.bind, ring)?;
    let control = stage.control(
        &Queues::of(&Arc::new(amqp), None),
        &Store::of(&database),
        &Log::of(&database, Arc::new(Term::new(&database))),
        &outward,
    );
    let made = first_token(&control, wants_token).await.map_err(|error| cannot(&error.to_string()))?;
    let is_new = matches!(made, FirstToken::First(_));
    if let Err(error) = RedisClaims::new(redis, clock).begin(is_new).await {
        warnings.push(format!("{error}; for a day events with ids are looked up before they are delivered"));
    }
    database.close().await;
    Ok(Migrated { schema: SCHEMA, token: made.text(), warnings })
}

/// How long to try.
struct Patience {
    clock: Arc<dyn Clock>,
    /// On the monotonic clock.
    until: Duration,
}

impl Patience {
    fn lasts(&self) -> bool {
        self.clock.monotonic() < self.until
    }

    async fn pause(&self, why: &(dyn std::error::Error + Sync)) {
        info!(%why, "waiting for a server");
        self.clock.sleep_until(self.clock.now().plus(AGAIN)).await;
    }

    /// Tries until it succeeds, cannot succeed, or the time is over.
    async fn with<T>(
        &self,
        what: &str,
        attempt: impl AsyncFn() -> Result<T, PortError>,
    ) -> anyhow::Result<T> {
        loop {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) if error.is_transient() && self.lasts() => self.pause(&error).await,
                Err(error) => return Err(cannot(&format!("{what} cannot be set up: {error}")).into()),
            }
        }
    }
}

fn cannot(cause: &str) -> Failure {
    Failure::new(Code::CannotStart, cause.to_owned())
        .next("`postrider doctor` looks at all servers; --wait says how long to try")
}

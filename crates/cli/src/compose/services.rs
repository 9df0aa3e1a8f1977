//! The services of the embedded system, each with its own settings and the adapters behind its ports.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use postrider_adapter_memory::{MemoryBreakers, MemoryClaims, MemoryMarks, MemoryRates, MemoryWindows};
use postrider_adapter_sqlite::Database;
use postrider_control::Control;
use postrider_domain::webhook::PlainHttp;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::secrets::Secrets;
use postrider_ports::sender::Sender;
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::supervisor::Supervisor;

use super::catch_up::caught_up;
use crate::settings::Settings;

/// What stands behind the ports.
pub(super) struct Adapters {
    /// Queues, store and log.
    pub(super) database: Arc<Database>,
    /// The key ring.
    pub(super) secrets: Arc<dyn Secrets>,
    /// The guarded way out.
    pub(super) sender: Arc<dyn Sender>,
    /// Time.
    pub(super) clock: Arc<dyn Clock>,
    /// Chance.
    pub(super) random: Arc<dyn Random>,
}

/// Where services are started.
pub(super) struct Stage<'a> {
    /// What the operator chose.
    pub(super) settings: &'a Settings,
    /// Who watches them.
    pub(super) supervisor: &'a mut Supervisor,
    /// Where they say whether they can work.
    pub(super) health: &'a Health,
    /// When they stop.
    pub(super) shutdown: &'a Shutdown,
}

impl Adapters {
    /// The management use-cases.
    pub(super) fn control(&self, plain_http: PlainHttp) -> Control {
        let settings = postrider_control::Settings { plain_http, ..postrider_control::Settings::default() };
        let database = &self.database;
        let deps = postrider_control::Deps {
            registry: database.clone(),
            log: database.clone(),
            bodies: database.clone(),
            tokens: database.clone(),
            spaces: database.clone(),
            sources: database.clone(),
            secrets: self.secrets.clone(),
            sender: self.sender.clone(),
            deliver: database.clone(),
            depths: database.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        };
        Control::new(settings, deps)
    }

    /// Starts dispatcher, log-writer and jobs.
    pub(super) fn spawn_workers(&self, stage: &mut Stage<'_>) {
        let shutdown = stage.shutdown;
        let (settings, deps) = (dispatcher_settings(stage.settings), self.dispatcher(stage.health));
        let log = stage.health.component("log");
        let caught_up = caught_up(self.database.clone(), self.clock.clone(), log, shutdown.clone());
        let stop = shutdown.clone();
        stage.supervisor.spawn("dispatcher", async move {
            caught_up.await?;
            postrider_dispatcher::run(settings, deps, stop).await?;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
        let log_writer = postrider_log_writer::Deps {
            records: self.database.clone(),
            log: self.database.clone(),
            clock: self.clock.clone(),
            health: stage.health.component("log-writer"),
        };
        let settings = postrider_log_writer::Settings::default();
        stage
            .supervisor
            .spawn("log-writer", postrider_log_writer::run(settings, log_writer, shutdown.clone()));
        let jobs = postrider_jobs::Deps {
            retention: self.database.clone(),
            clock: self.clock.clone(),
            health: stage.health.component("jobs"),
        };
        let retention_days = stage.settings.retention.days;
        let settings = postrider_jobs::Settings { retention_days, ..postrider_jobs::Settings::default() };
        stage.supervisor.spawn("jobs", postrider_jobs::run(settings, jobs, shutdown.clone()));
    }

    fn dispatcher(&self, health: &Health) -> postrider_dispatcher::Deps {
        let (database, clock) = (&self.database, &self.clock);
        postrider_dispatcher::Deps {
            events: database.clone(),
            deliveries: database.clone(),
            deliver: database.clone(),
            records: database.clone(),
            subscriptions: database.clone(),
            bodies: database.clone(),
            marks: Arc::new(MemoryMarks::new(clock.clone())),
            progresses: database.clone(),
            windows: Arc::new(MemoryWindows::new(clock.clone())),
            rates: Arc::new(MemoryRates::new(clock.clone())),
            breakers: Arc::new(MemoryBreakers::new(clock.clone())),
            sender: self.sender.clone(),
            secrets: self.secrets.clone(),
            disable: database.clone(),
            clock: clock.clone(),
            random: self.random.clone(),
            health: health.clone(),
        }
    }

    /// Starts the measuring of pressure and gives the HTTP door. `cold`: an earlier process may have accepted ids that this
    /// one does not remember.
    pub(super) fn spawn_ingest(&self, stage: &mut Stage<'_>, cold: bool) -> Router {
        let chosen = &stage.settings.ingest;
        let default = postrider_ingest::Settings::default();
        let settings = postrider_ingest::Settings {
            max_event_bytes: chosen.max_event,
            max_batch_bytes: default.max_batch_bytes.max(chosen.max_event),
            max_backlog: chosen.max_backlog,
            per_space_events_per_second: chosen.rate,
            ..default
        };
        let database = &self.database;
        let deps = postrider_ingest::Deps {
            publish: database.clone(),
            claims: Arc::new(MemoryClaims::new(self.clock.clone(), cold)),
            bodies: database.clone(),
            tokens: database.clone(),
            spaces: database.clone(),
            sources: database.clone(),
            secrets: self.secrets.clone(),
            depths: database.clone(),
            pressure: postrider_ingest::Pressure::new(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            health: stage.health.component("ingest"),
        };
        let measuring = postrider_ingest::run(settings.clone(), deps.clone(), stage.shutdown.clone());
        stage.supervisor.spawn("ingest", measuring);
        postrider_ingest::router(settings, deps)
    }
}

/// The room grows with the permits, so that a lane can always look ahead (DESIGN §4.4: 4 × permits).
fn dispatcher_settings(settings: &Settings) -> postrider_dispatcher::Settings {
    let chosen = &settings.dispatcher;
    let shares = postrider_dispatcher::settings::ShareSettings {
        permits: chosen.permits,
        per_webhook: chosen.per_webhook,
        per_space: chosen.per_space,
        per_host: chosen.per_host,
        ..postrider_dispatcher::settings::ShareSettings::default()
    };
    let default = postrider_dispatcher::Settings::default();
    postrider_dispatcher::Settings { room: default.room.max(4 * chosen.permits), shares, ..default }
}

//! The services, each with its own settings and what stands behind its ports. No composition has any of its own.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::future::BoxFuture;
use postrider_control::Control;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::secrets::Secrets;
use postrider_runtime::health::Health;
use postrider_runtime::shutdown::Shutdown;

use super::ports::{Log, Memory, Outward, Queues, Store};
use crate::settings::Settings;

/// What a supervised task does.
pub(super) type Work = BoxFuture<'static, Result<(), Box<dyn Error + Send + Sync>>>;

/// Where services are started.
#[derive(Clone)]
pub(super) struct Stage<'a> {
    /// What the operator chose.
    pub(super) settings: &'a Settings,
    /// Where they say whether they can work.
    pub(super) health: &'a Health,
    /// When they stop.
    pub(super) shutdown: &'a Shutdown,
    /// Time.
    pub(super) clock: Arc<dyn Clock>,
    /// Chance.
    pub(super) random: Arc<dyn Random>,
}

impl Stage<'_> {
    /// The management use-cases.
    pub(super) fn control(&self, queues: &Queues, store: &Store, log: &Log, outward: &Outward) -> Control {
        let limits = &self.settings.limits;
        let settings = postrider_control::Settings {
            plain_http: outward.plain_http,
            webhooks_per_space: limits.webhooks,
            sources_per_space: limits.sources,
            tokens_per_space: limits.tokens,
            environments_per_space: limits.environments,
            requests_per_second: self.settings.api.requests_per_second,
            slack_base_url: self.settings.slack.base_url.clone(),
        };
        let deps = postrider_control::Deps {
            registry: store.registry.clone(),
            log: log.read.clone(),
            write: log.write.clone(),
            reopen: log.reopen.clone(),
            bodies: store.bodies.clone(),
            tokens: store.tokens.clone(),
            spaces: store.spaces.clone(),
            sources: store.sources.clone(),
            secrets: outward.secrets.clone(),
            keys: outward.keys.clone(),
            sender: outward.sender.clone(),
            deliver: queues.deliver_out.clone(),
            depths: queues.depths.clone(),
            parked: queues.parked.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        };
        Control::new(settings, deps)
    }

    /// Matches and delivers.
    pub(super) fn dispatcher(
        &self,
        queues: &Queues,
        store: &Store,
        log: &Log,
        memory: &Memory,
        outward: &Outward,
    ) -> Work {
        let deps = postrider_dispatcher::Deps {
            events: queues.events_in.clone(),
            deliveries: queues.deliver_in.clone(),
            deliver: queues.deliver_out.clone(),
            records: queues.records_out.clone(),
            subscriptions: store.subscriptions.clone(),
            bodies: store.bodies.clone(),
            marks: memory.marks.clone(),
            progresses: log.progresses.clone(),
            windows: memory.windows.clone(),
            rates: memory.rates.clone(),
            breakers: memory.breakers.clone(),
            sender: outward.sender.clone(),
            secrets: outward.secrets.clone(),
            disable: store.disable.clone(),
            wellness: store.wellness.clone(),
            announce: queues.events_out.clone(),
            claims: memory.claims.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            health: self.health.clone(),
        };
        let settings = dispatcher_settings(self.settings);
        let shutdown = self.shutdown.clone();
        Box::pin(async move { Ok(postrider_dispatcher::run(settings, deps, shutdown).await?) })
    }

    /// Keeps the records.
    pub(super) fn log_writer(&self, queues: &Queues, log: &Log) -> Work {
        let deps = postrider_log_writer::Deps {
            records: queues.records_in.clone(),
            log: log.write.clone(),
            clock: self.clock.clone(),
            health: self.health.component("log-writer"),
        };
        let settings = postrider_log_writer::Settings::default();
        let shutdown = self.shutdown.clone();
        Box::pin(async move { Ok(postrider_log_writer::run(settings, deps, shutdown).await?) })
    }

    /// Background work of one leader.
    pub(super) fn jobs(&self, queues: &Queues, store: &Store, log: &Log, memory: &Memory) -> Work {
        let deps = postrider_jobs::Deps {
            leadership: log.leadership.clone(),
            days: log.days.clone(),
            retention: log.retention.clone(),
            wellness: store.wellness.clone(),
            registry: store.registry.clone(),
            disable: store.disable.clone(),
            log: log.read.clone(),
            write: log.write.clone(),
            parked: queues.parked.clone(),
            reconcile: postrider_jobs::reconcile::Ports {
                epochs: queues.epochs.clone(),
                runs: log.runs.clone(),
                open: log.open.clone(),
                deliver: queues.deliver_out.clone(),
                marks: memory.marks.clone(),
                write: log.write.clone(),
                depths: queues.depths.clone(),
                random: self.random.clone(),
            },
            clock: self.clock.clone(),
            health: self.health.component("jobs"),
        };
        let settings = postrider_jobs::Settings {
            retention_days: self.settings.retention.days,
            reconcile: reconcile_settings(self.settings),
            ..postrider_jobs::Settings::default()
        };
        let shutdown = self.shutdown.clone();
        Box::pin(async move { Ok(postrider_jobs::run(settings, deps, shutdown).await?) })
    }

    /// The HTTP doors, and the work beside them: measuring of pressure, and the door of the broker where there is one.
    pub(super) fn ingest(
        &self,
        queues: &Queues,
        store: &Store,
        memory: &Memory,
        secrets: &Arc<dyn Secrets>,
    ) -> (Router, Work) {
        let settings = ingest_settings(self.settings);
        let deps = postrider_ingest::Deps {
            publish: queues.events_out.clone(),
            claims: memory.claims.clone(),
            bodies: store.bodies.clone(),
            tokens: store.tokens.clone(),
            spaces: store.spaces.clone(),
            sources: store.sources.clone(),
            secrets: secrets.clone(),
            inbox: queues.inbox.clone(),
            depths: queues.depths.clone(),
            pressure: postrider_ingest::Pressure::new(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            health: self.health.component("ingest"),
        };
        let router = postrider_ingest::router(settings.clone(), deps.clone());
        let shutdown = self.shutdown.clone();
        (router, Box::pin(async move { Ok(postrider_ingest::run(settings, deps, shutdown).await?) }))
    }
}

/// A quarter of what is put back in a second, each quarter of a second.
fn reconcile_settings(settings: &Settings) -> postrider_jobs::reconcile::Settings {
    let chosen = &settings.reconcile;
    postrider_jobs::reconcile::Settings {
        settle: chosen.settle,
        later: chosen.later,
        page: usize::try_from(chosen.rate / 4).unwrap_or(1),
        pace: Duration::from_millis(250),
        ..postrider_jobs::reconcile::Settings::default()
    }
}

fn ingest_settings(settings: &Settings) -> postrider_ingest::Settings {
    let chosen = &settings.ingest;
    let default = postrider_ingest::Settings::default();
    postrider_ingest::Settings {
        max_event_bytes: chosen.max_event,
        max_batch_bytes: default.max_batch_bytes.max(chosen.max_event),
        max_backlog: chosen.max_backlog,
        per_space_events_per_second: chosen.rate,
        ..default
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
    let slack_base_url = settings.slack.base_url.clone();
    postrider_dispatcher::Settings {
        room: room(chosen.permits),
        bulk_per_second: chosen.bulk_per_second,
        shares,
        slack_base_url,
        ..default
    }
}

/// How many deliveries one dispatcher holds at once.
pub(super) fn room(permits: usize) -> usize {
    postrider_dispatcher::Settings::default().room.max(4 * permits)
}

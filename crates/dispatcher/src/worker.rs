//! What the loops of one dispatcher share.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_runtime::health::Component;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::breaker::Breakers;
use crate::bulk::BulkPace;
use crate::bundle::Flights;
use crate::contents::Contents;
use crate::deps::Deps;
use crate::floor::Floor;
use crate::pause::Pause;
use crate::ramp::Ramps;
use crate::recorder::Recorder;
use crate::settings::Settings;
use crate::spaces::Spaces;
use crate::telemetry::Metrics;
use crate::tokens::Tokens;
use crate::wellness::Ward;

/// One dispatcher.
pub(crate) struct Worker {
    pub(crate) settings: Settings,
    pub(crate) deps: Deps,
    pub(crate) spaces: Spaces,
    pub(crate) floor: Arc<Floor>,
    pub(crate) breakers: Breakers,
    pub(crate) ramps: Ramps,
    pub(crate) bulk: BulkPace,
    pub(crate) tokens: Tokens,
    pub(crate) ward: Ward,
    pub(crate) recorder: Recorder,
    pub(crate) flights: Arc<Flights>,
    pub(crate) contents: Contents,
    pub(crate) metrics: Metrics,
    /// Trouble with queues and stores.
    pub(crate) pause: Arc<Pause>,
    /// Whether the index can be trusted.
    index: Component,
    /// Take nothing new, finish what is being called.
    pub(crate) stop: CancellationToken,
}

/// Somebody asked to stop.
#[derive(Debug)]
pub(crate) struct Stopping;

impl Worker {
    pub(crate) fn new(settings: Settings, deps: Deps) -> Self {
        let clock = Arc::clone(&deps.clock);
        let component = deps.health.component("dispatcher");
        component.ready();
        let pause = Arc::new(Pause::new(Arc::clone(&clock), component, settings.patience));
        let recorder = Recorder::new(
            settings.records.clone(),
            Arc::clone(&deps.records),
            Arc::clone(&deps.marks),
            Arc::clone(&clock),
            Arc::clone(&pause),
        );
        let spaces = Spaces::new(
            Arc::clone(&deps.subscriptions),
            Arc::clone(&clock),
            settings.index_bytes,
            settings.unverified_for,
        );
        Self {
            spaces,
            floor: Floor::new(settings.shares.clone(), settings.room, clock),
            breakers: Breakers::new(settings.breaker.clone(), Arc::clone(&deps.breakers)),
            ramps: Ramps::default(),
            bulk: BulkPace::new(settings.bulk_per_second),
            tokens: Tokens::new(Arc::clone(&deps.rates)),
            ward: Ward::new(&deps),
            recorder,
            flights: Arc::default(),
            contents: Contents::default(),
            metrics: Metrics::new(),
            pause,
            index: deps.health.component("dispatcher index"),
            stop: CancellationToken::new(),
            settings,
            deps,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.deps.clock.now()
    }

    /// Waits until messages may be taken: no trouble, and an index that can be trusted.
    pub(crate) async fn may_consume(&self) {
        loop {
            self.pause.over().await;
            if self.spaces.is_usable() {
                return;
            }
            self.doubt_index();
            self.deps.clock.sleep_until(self.now().plus(self.settings.refresh)).await;
        }
    }

    /// Does something that takes messages, for as long as the index can be trusted; `None` when that ended first.
    pub(crate) async fn while_trusted<T>(&self, taking: impl Future<Output = T>) -> Option<T> {
        let doubted = async {
            while let Some(until) = self.spaces.usable_until().filter(|until| self.now() <= *until) {
                self.deps.clock.sleep_until(until.plus(Duration::from_millis(1))).await;
            }
        };
        tokio::select! {
            biased;
            taken = taking => Some(taken),
            () = doubted => None,
        }
    }

    /// Compares the version of the subscriptions once.
    pub(crate) async fn refresh(&self) {
        self.pause.success();
        match self.spaces.refresh().await {
            Ok(()) => self.index.ready(),
            Err(error) => {
                warn!(%error, "the webhooks cannot be verified");
                if !self.spaces.is_usable() {
                    self.doubt_index();
                }
            }
        }
    }

    /// Sleeps until an instant, unless somebody asks to stop.
    pub(crate) async fn wait_until(&self, at: Timestamp) -> Result<(), Stopping> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Stopping),
            () = self.deps.clock.sleep_until(at) => Ok(()),
        }
    }

    fn doubt_index(&self) {
        self.index.not_ready(match self.spaces.usable_until() {
            None => "the webhooks cannot be read; nothing is taken until they can".to_owned(),
            Some(_) => format!(
                "the webhooks could not be verified for {} s; nothing is taken until they can",
                self.settings.unverified_for.as_secs()
            ),
        });
    }
}

//! One process's way through terms: it asks whether it leads, and if so does the next step of the work.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::clock::Clock;
use postrider_ports::leader::Leadership;
use postrider_ports::log::Days;
use postrider_runtime::health::Component;
use tracing::{info, warn};

use crate::ailing::Nurse;
use crate::parked::{Memory, Watch};
use crate::reconcile::{self, Reconciler};
use crate::retention::Sweeper;
use crate::{Deps, Settings};

/// Leads when it may.
pub(crate) struct Candidate {
    settings: Settings,
    leadership: Arc<dyn Leadership>,
    days: Arc<dyn Days>,
    sweeper: Sweeper,
    nurse: Nurse,
    watch: Watch,
    reconciler: Reconciler,
    clock: Arc<dyn Clock>,
    health: Component,
    /// What the present term has done; `None` while another leads.
    term: Option<Term>,
}

/// What a term has done.
#[derive(Default)]
struct Term {
    /// For which day the days to come were prepared last.
    prepared: Option<Day>,
    /// When old days are looked for next; `None` is at once.
    sweep_at: Option<Timestamp>,
    /// When webhooks that are not well are looked after next; `None` is at once.
    round_at: Option<Timestamp>,
    /// What of the parked messages was noted.
    parked: Memory,
    /// What was seen of the broker.
    broker: reconcile::Watch,
}

impl Candidate {
    pub(crate) fn new(settings: Settings, deps: Deps) -> Self {
        let Deps {
            leadership,
            days,
            retention,
            wellness,
            registry,
            disable,
            log,
            write,
            parked,
            reconcile,
            clock,
            health,
        } = deps;
        let watch = Watch { parked, log: write, clock: Arc::clone(&clock) };
        let nurse = Nurse { wellness, registry, disable, log, clock: Arc::clone(&clock) };
        let sweeper = Sweeper::new(retention, Arc::clone(&clock), settings.retention_days);
        let reconciler = Reconciler::new(settings.reconcile.clone(), reconcile, Arc::clone(&clock));
        Self { settings, leadership, days, sweeper, nurse, watch, reconciler, clock, health, term: None }
    }

    /// Asks whether it leads, and does what is due then; returns when to ask again.
    pub(crate) async fn step(&mut self) -> Duration {
        let leads = self.leads().await;
        let Some(mut term) = leads.then(|| self.term.take().unwrap_or_default()) else {
            self.term = None;
            return self.settings.lead_every;
        };
        self.prepare(&mut term).await;
        self.look_after(&mut term).await;
        if let Err(fault) = self.watch.round(&mut term.parked).await {
            warn!(%fault, "the parked messages cannot be looked at; it is tried again");
        }
        let more = self.reconciler.step(&mut term.broker).await;
        let wait = self.sweep(&mut term).await.min(more.unwrap_or(self.settings.lead_every));
        self.term = Some(term);
        wait.min(self.settings.lead_every)
    }

    async fn leads(&self) -> bool {
        let led = self.term.is_some();
        match self.leadership.hold().await {
            Ok(leads) => {
                self.health.ready();
                match (led, leads) {
                    (false, true) => info!("this process leads the background work"),
                    (true, false) => info!("another process leads the background work now"),
                    _ => {}
                }
                leads
            }
            Err(fault) => {
                warn!(%fault, "nobody knows who leads the background work; it waits");
                self.health.not_ready(format!("nobody knows who leads: {fault}"));
                false
            }
        }
    }

    async fn prepare(&self, term: &mut Term) {
        let today = self.clock.now().day();
        if term.prepared == Some(today) {
            return;
        }
        match self.days.prepare(today).await {
            Ok(()) => term.prepared = Some(today),
            Err(fault) => warn!(%fault, "the days to come could not be prepared; it is tried again"),
        }
    }

    async fn look_after(&self, term: &mut Term) {
        let now = self.clock.now();
        if term.round_at.is_some_and(|at| now < at) {
            return;
        }
        if let Err(fault) = self.nurse.round().await {
            warn!(%fault, "webhooks that are not well could not be looked after; it is tried again at its next time");
        }
        term.round_at = Some(now.plus(self.settings.round_every));
    }

    /// Removes one part of what is due; returns how long until the next.
    async fn sweep(&self, term: &mut Term) -> Duration {
        let now = self.clock.now();
        if let Some(at) = term.sweep_at.filter(|at| now < *at) {
            return at.since(now);
        }
        match self.sweeper.step().await {
            Ok(removed) if removed.more => return self.settings.breath,
            Ok(removed) if removed.rows > 0 => {
                info!(rows = removed.rows, "retention removed the last of what was due");
            }
            Ok(_) => {}
            Err(fault) => warn!(%fault, "retention failed and is tried again at its next time"),
        }
        term.sweep_at = Some(self.clock.now().plus(self.settings.sweep_every));
        self.settings.sweep_every
    }
}

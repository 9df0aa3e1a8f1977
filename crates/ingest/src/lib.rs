//! Two doors and their one accept path: what a CMS says becomes an event that is not lost any more.
//!
//! - [`http`]: the HTTP door, `POST /spaces/{space}/environments/{environment}/events`.
//! - [`sources_door`]: where a CMS sends its own webhooks, `…/sources/{source}`.
//! - [`inbox`]: the AMQP door, for what a CMS publishes to the broker.
//! - [`access`]: who may publish where; [`form`] and [`reading`]: from bytes to events, all faults at once.
//! - [`accept`]: the one path behind every door: claim, store, publish, commit (DESIGN §2).
//! - [`pressure`]: how much is waiting, measured each second; [`rate`]: how much a space may send.
//! - [`problem`]: every way to refuse, with what, where and how to mend it.

pub mod accept;
pub mod access;
pub mod form;
pub mod http;
pub mod inbox;
pub mod pressure;
pub mod problem;
pub mod rate;
pub mod reading;
pub mod sources_door;

mod condition;
mod known;
mod slices;
mod telemetry;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::message::EventMessage;
use postrider_ports::access::{Spaces, Tokens};
use postrider_ports::bodies::Bodies;
use postrider_ports::claims::Claims;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::PortError;
use postrider_ports::inbox::Inboxes;
use postrider_ports::queue::{Depths, Publish};
use postrider_ports::secrets::Secrets;
use postrider_ports::sources::Sources;
use postrider_runtime::health::Component;
use postrider_runtime::shutdown::Shutdown;

use condition::Condition;

pub use http::router;
pub use pressure::Pressure;

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest event in bytes, as it was sent.
    pub max_event_bytes: usize,
    /// Most events in one request.
    pub max_batch_events: usize,
    /// Largest request in bytes.
    pub max_batch_bytes: usize,
    /// Deepest nesting of an event's JSON.
    pub max_depth: usize,
    /// Messages waiting in all queues together above which nothing more is accepted.
    pub max_backlog: u64,
    /// Events that one space may send per second through each door (DESIGN §5).
    pub per_space_events_per_second: u32,
    /// Bytes of all requests being worked on at once; what exceeds them is sent away for a moment. As much again may be
    /// inputs of the inbox, and once it is, no more are taken.
    pub max_bytes_in_flight: usize,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a token or space is believed before it is looked up again: a revoked token works no longer than this.
    pub believed_for: Duration,
    /// The same while the store does not answer.
    pub unverified_for: Duration,
    /// Most inputs taken from the inbox at once, to be claimed and published together.
    pub inbox_batch: usize,
    /// Inputs of the inbox held at once, being accepted or waiting for the rate of their space.
    pub inbox_room: usize,
}

/// What the service stands on. Clones speak of the same parts.
#[derive(Clone)]
pub struct Deps {
    /// Where accepted events go.
    pub publish: Arc<dyn Publish<EventMessage>>,
    /// The memory of accepted ids.
    pub claims: Arc<dyn Claims>,
    /// Where large contents go.
    pub bodies: Arc<dyn Bodies>,
    /// Who publishes.
    pub tokens: Arc<dyn Tokens>,
    /// Where to.
    pub spaces: Arc<dyn Spaces>,
    /// Where the webhooks of CMSs come in.
    pub sources: Arc<dyn Sources>,
    /// The key ring, for what proves a source's webhooks.
    pub secrets: Arc<dyn Secrets>,
    /// What CMSs publish to a broker; `None` where there is none.
    pub inbox: Option<Arc<dyn Inboxes>>,
    /// How much is waiting.
    pub depths: Arc<dyn Depths>,
    /// What [`run`] last measured; [`router`] looks at it. Give both the same.
    pub pressure: Pressure,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids that publishers leave to us.
    pub random: Arc<dyn Random>,
    /// Where it says whether it can do its work.
    pub health: Component,
}

/// How long a door goes on with tokens and spaces that it cannot verify. As long as a dispatcher uses webhooks that it cannot
/// verify (DESIGN §4.5), and longer than a server takes over from another.
pub const UNVERIFIED_FOR: Duration = Duration::from_secs(60);

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_event_bytes: 256 * 1024,
            max_batch_events: 500,
            // 500 events of 8 KiB, which is far above a usual event, or 16 of the largest.
            max_batch_bytes: 4 * 1024 * 1024,
            max_depth: 64,
            max_backlog: 500_000,
            per_space_events_per_second: 10_000,
            // 8 of the largest requests, or 2,048 of at most 16 KiB.
            max_bytes_in_flight: 32 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            believed_for: Duration::from_secs(5),
            unverified_for: UNVERIFIED_FOR,
            inbox_batch: 64,
            // Four batches, each at another step of its way.
            inbox_room: 256,
        }
    }
}

/// Runs until asked to stop: measures each second how much is waiting, and takes in what comes to the inbox, if there is
/// one. While something that it needs is away the service says that it is not ready.
pub async fn run(settings: Settings, deps: Deps, shutdown: Shutdown) -> Result<(), PortError> {
    let condition = Condition::new(deps.health.clone());
    let measured = measure(&deps, &condition, &shutdown);
    match &deps.inbox {
        None => measured.await,
        Some(inboxes) => {
            let taken_in = inbox::run(&settings, &deps, inboxes.as_ref(), &condition, &shutdown);
            tokio::join!(measured, taken_in);
        }
    }
    Ok(())
}

/// While it cannot be measured the last figure stays.
async fn measure(deps: &Deps, condition: &Condition, shutdown: &Shutdown) {
    const PART: &str = "backlog";
    let shown = telemetry::Depths::new();
    loop {
        match deps.pressure.measure_each(deps.depths.as_ref(), |queue, depth| shown.set(queue, depth)).await {
            Ok(_waiting) => condition.well(PART),
            Err(fault) => {
                condition.hindered(PART, format!("the depth of the queues cannot be read: {fault}"));
            }
        }
        tokio::select! {
            biased;
            () = shutdown.stopping() => return,
            () = deps.clock.sleep_until(deps.clock.now().plus(pressure::EVERY)) => {}
        }
    }
}

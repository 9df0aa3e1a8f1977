//! Management use-cases, and who may do what. Knows no HTTP: `api` and `console` are routers over [`Control`].
//!
//! Every use-case takes the [`Actor`] that asks and checks its permission first, in `access.rs` and nowhere else. What a
//! person gave wrong is reported all at once, field by field ([`FieldFault`]).
//!
//! - [`webhooks`]: making and changing webhooks and their secrets; [`draft`] is what is asked for.
//! - [`calls`], [`events`], [`resend`]: what became of events, and sending again.
//! - [`sources`]: where the webhooks of CMSs come in.
//! - [`slack`]: ways into Slack, through which webhooks post.
//! - [`trial`]: one call right now, to see whether a receiver understands; [`preview`]: what would be sent.
//! - [`keys`]: what is sealed with which key, and sealing it anew.
//! - [`parked`]: what could not be processed.
//! - [`tokens`], [`spaces`]: who may ask, and about what; [`space_settings`], [`constants`]: what a space has settled for all webhooks.

mod access;
mod assembly;
pub mod calls;
pub mod constants;
pub mod draft;
mod error;
pub mod events;
mod http_target;
pub mod keys;
mod known;
mod names;
mod pacing;
pub mod parked;
pub mod preview;
mod random_text;
mod render;
pub mod resend;
mod sample;
mod signing;
pub mod slack;
mod slack_target;
pub mod sources;
pub mod space_settings;
pub mod spaces;
mod target_url;
mod throttle;
pub mod tokens;
pub mod trial;
mod wanted;
pub mod webhooks;
mod writing;

use std::sync::Arc;

use postrider_domain::message::DeliverMessage;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::PlainHttp;
use postrider_ports::access::{Spaces, Tokens};
use postrider_ports::bodies::Bodies;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::keys::Keys;
use postrider_ports::log::{LogRead, LogWrite, Reopen};
use postrider_ports::queue::{Depths, Parked, Publish};
use postrider_ports::registry::Registry;
use postrider_ports::secrets::Secrets;
use postrider_ports::sender::Sender;
use postrider_ports::sources::Sources;

use throttle::Throttle;

pub use access::{Actor, Unauthenticated};
pub use error::{ControlError, ControlResult, FieldFault};
pub use pacing::LONGEST_TIMEOUT;
pub use postrider_dialects::slack::BASE_URL as SLACK_BASE_URL;
pub use postrider_dialects::{names as dialect_names, source_names as source_dialect_names};
pub use postrider_ports::access::Space;
pub use postrider_ports::error::{PortError, PortErrorKind};
pub use postrider_ports::log::{Cursor, DeliveryRow, EXACT_TOTAL, EventRow, LogQuery, Order, Page};
pub use postrider_ports::queue::{Depth, HeldDelivery, ParkedMessage};

/// What an operator decides about management.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether webhooks may have `http://` targets (`outbound.plain_http`).
    pub plain_http: PlainHttp,
    /// How many webhooks a space may have (`limits.webhooks_per_space`). This and the other limits are looked at before
    /// something is made, so what is made at the same instant may pass one by a few.
    pub webhooks_per_space: usize,
    /// How many sources a space may have (`limits.sources_per_space`).
    pub sources_per_space: usize,
    /// How many valid tokens a space may have, and the instance beside its spaces (`limits.tokens_per_space`).
    pub tokens_per_space: usize,
    /// How many environments a space may have (`limits.environments_per_space`).
    pub environments_per_space: usize,
    /// Requests per second of one token; it may save up twice as many (`api.requests_per_second`).
    pub requests_per_second: u32,
    /// Where Slack's API is (`slack.base_url`).
    pub slack_base_url: String,
}

/// What management works with.
#[derive(Clone)]
pub struct Deps {
    /// The webhooks.
    pub registry: Arc<dyn Registry>,
    /// Events, deliveries and calls.
    pub log: Arc<dyn LogRead>,
    /// Where a person's decision on parked messages is noted.
    pub write: Arc<dyn LogWrite>,
    /// Where it is noted that deliveries are parked no longer.
    pub reopen: Arc<dyn Reopen>,
    /// Large contents, for what is sent again.
    pub bodies: Arc<dyn Bodies>,
    /// The tokens.
    pub tokens: Arc<dyn Tokens>,
    /// The spaces.
    pub spaces: Arc<dyn Spaces>,
    /// Where the webhooks of CMSs come in.
    pub sources: Arc<dyn Sources>,
    /// The key ring.
    pub secrets: Arc<dyn Secrets>,
    /// The same, for who looks after it.
    pub keys: Arc<dyn Keys>,
    /// The guarded client, for test calls.
    pub sender: Arc<dyn Sender>,
    /// Where deliveries are queued, for what is sent again.
    pub deliver: Arc<dyn Publish<DeliverMessage>>,
    /// How much is waiting.
    pub depths: Arc<dyn Depths>,
    /// What could not be processed.
    pub parked: Arc<dyn Parked>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

/// The management use-cases.
#[derive(Clone)]
pub struct Control {
    settings: Settings,
    deps: Deps,
    throttle: Arc<Throttle>,
}

impl Default for Settings {
    /// No plain http. 10,000 webhooks, a hundred times what Contentful allows its largest customers; 100 sources, since
    /// nobody has more CMSs; 1,000 tokens and 1,000 environments, ten times what large installations have. 200 requests
    /// per second, twenty times what Contentful allows.
    fn default() -> Self {
        Self {
            plain_http: PlainHttp::Never,
            webhooks_per_space: 10_000,
            sources_per_space: 100,
            tokens_per_space: 1_000,
            environments_per_space: 1_000,
            requests_per_second: 200,
            slack_base_url: postrider_dialects::slack::BASE_URL.to_owned(),
        }
    }
}

impl Control {
    /// Management over these parts.
    pub fn new(settings: Settings, deps: Deps) -> Self {
        let throttle = Arc::new(Throttle::new(deps.clock.clone(), settings.requests_per_second));
        Self { settings, deps, throttle }
    }

    /// The present instant, as everything here sees it.
    pub fn now(&self) -> Timestamp {
        self.deps.clock.now()
    }

    /// A fresh id for a request, so that a person can name it in a report.
    pub fn draw_request_id(&self) -> String {
        random_text::id(&*self.deps.random)
    }
}

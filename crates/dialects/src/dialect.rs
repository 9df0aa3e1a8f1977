//! What every dialect can do with an event that leaves, and with a CMS's own webhook that comes in.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_domain::delivery::DeliveryId;
use postrider_domain::event::{Event, EventHead};
use postrider_domain::gathering::Coalesced;
use postrider_domain::outcome::{self, Ended, Outcome};
use postrider_domain::retry::{RetryOn, RetryPolicy};
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{InvalidTopic, TopicPattern};
use postrider_domain::webhook::Webhook;

use crate::options::{self, Switch};
use crate::read_error::{ReadError, ReadErrors};
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered};
use crate::topics;

/// The deadline of a call where neither webhook nor dialect says otherwise: the lower end of what the Standard
/// Webhooks specification recommends (15 to 30 s).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// Everything that a request is made from.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// What happened.
    pub event: &'a Event,
    /// Who wants to know.
    pub webhook: &'a Webhook,
    /// What holds for all webhooks of its space.
    pub space: &'a SpaceSettings,
    /// The webhook's secrets, opened for this request.
    pub secrets: &'a OpenedSecrets,
    /// The id of generation 0: the same for every attempt, resend and replay, so that receivers can tell repeats.
    pub message_id: DeliveryId,
    /// From 1.
    pub attempt: u32,
    /// What a coalesced call stands for beside its own event.
    pub coalesced: Option<&'a Coalesced>,
    /// When the request is made.
    pub now: Timestamp,
}

/// How long a call to a webhook may take, and how long until its connection stands.
pub fn deadlines(dialect: &dyn Dialect, webhook: &Webhook) -> (Duration, Option<Duration>) {
    match webhook.timeout {
        Some(own) => (own, None),
        None => (dialect.default_timeout(), dialect.connect_timeout()),
    }
}

/// How one CMS speaks.
pub trait Dialect: Send + Sync {
    /// The name webhooks choose it by.
    fn name(&self) -> &'static str;

    /// Whether it has words for this event, else why not in one line for people. What cannot be said is no failure: the
    /// webhook does not match (rule `notExpressible`).
    fn expressible(&self, head: &EventHead) -> Result<(), String> {
        let _ = head;
        Ok(())
    }

    /// Writes and signs the request. Fails only on what the webhook's owner must mend.
    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError>;

    /// The switches a webhook may set in `options`.
    fn switches(&self) -> &'static [Switch] {
        &[]
    }

    /// Refuses options that it does not have, and values they cannot take; all at once, each as `/options/name`.
    fn check_options(&self, given: &BTreeMap<String, String>) -> Result<(), ReadErrors> {
        options::check(self.name(), self.switches(), given)
    }

    /// How it retries, unless the webhook says.
    fn default_policy(&self) -> RetryPolicy {
        RetryPolicy::default()
    }

    /// One deadline over resolve, connect, headers and body, unless the webhook says.
    fn default_timeout(&self) -> Duration {
        DEFAULT_TIMEOUT
    }

    /// Until when a connection must stand (resolve, connect and TLS together), where that is sooner. It is part of
    /// [`Dialect::default_timeout`]: a webhook with a time-out of its own has that alone.
    fn connect_timeout(&self) -> Option<Duration> {
        None
    }

    /// Whether its requests are always signed: a webhook made without a secret gets a fresh one
    /// ([`crate::standard_webhooks::secret_from`] makes it from random bytes).
    fn needs_secret(&self) -> bool {
        false
    }

    /// Whether it signs with what belongs to the space. If not, that is not even opened for its requests.
    fn signs_with_space(&self) -> bool {
        false
    }

    /// What a topic means, in Postrider's words (`Entry.publish`) or in those of any dialect (`content.published`). Most
    /// mean one pattern, some several: keep one `Topic` for each, all with the same `given`, and show each `given` once.
    fn topics(&self, given: &str) -> Result<Vec<TopicPattern>, InvalidTopic> {
        topics::understand(given)
    }

    /// How its own webhooks prove that they are genuine; `None` when it has none that a source could take.
    fn proof(&self) -> Option<Proof> {
        None
    }

    /// Whether a webhook is signed with the source's secret. Takes the same time wherever the signatures differ.
    fn is_genuine(&self, received: &Received<'_>) -> bool {
        let _ = received;
        false
    }

    /// Reads its own webhook, after it was found genuine.
    fn read(&self, received: &Received<'_>) -> Result<Event, ReadErrors> {
        let _ = received;
        let problem = format!("the dialect {} has no webhook of its own to read", self.name());
        let fix = format!("give the source one of these dialects: {}", crate::source_names().join(", "));
        Err(vec![ReadError::new("", problem, fix)])
    }

    /// What an answer means for the delivery.
    fn judge(&self, ended: &Ended, on: &RetryOn) -> Outcome {
        outcome::judge(ended, on)
    }
}

//! Which webhooks are not well, durably: what is noted here is told once, also when a process dies in between.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::operational::Condition;
use postrider_domain::timestamp::Timestamp;

use crate::error::PortResult;

/// At most so many webhooks are listed as not well, those whose condition began last first.
pub const LISTED: usize = 16 * 1024;

/// A webhook that is not well.
pub type Patient = (SpaceId, WebhookId, Condition);

/// What is noted of webhooks. Changes are rare: a webhook falls ill and recovers, however often it is called meanwhile.
#[async_trait]
pub trait Wellness: Send + Sync {
    /// Notes what was found, unless what is noted already stays ([`Condition::after`]); returns what stands there then. Of
    /// several that find the same at once, each is returned the same.
    async fn note(&self, space: &SpaceId, webhook: &WebhookId, found: &Condition) -> PortResult<Condition>;

    /// The event that tells of the condition that began at `at` is accepted.
    async fn told(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()>;

    /// Forgets the condition that began at `at`; one that began at another instant stays.
    async fn forget(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()>;

    /// Everyone who is not well, up to [`LISTED`].
    async fn ill(&self) -> PortResult<Vec<Patient>>;
}

//! Who is asking, and which spaces there are.

use async_trait::async_trait;
use postrider_domain::id::{EnvironmentId, SpaceId, TokenId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::Token;

use crate::error::PortResult;

/// The tokens.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// The token with this hash, revoked and expired ones included (the caller judges).
    async fn find(&self, sha256: &[u8; 32]) -> PortResult<Option<Token>>;

    /// Stores a new token; a conflict when the id or hash is taken.
    async fn insert(&self, token: &Token) -> PortResult<()>;

    /// All tokens, oldest first.
    async fn list(&self) -> PortResult<Vec<Token>>;

    /// Revokes it; `false` when there is none of that id.
    async fn revoke(&self, id: &TokenId, at: Timestamp) -> PortResult<bool>;
}

/// A space as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Its id.
    pub id: SpaceId,
    /// For people.
    pub name: String,
    /// Its environments.
    pub environments: Vec<EnvironmentId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The spaces.
#[async_trait]
pub trait Spaces: Send + Sync {
    /// One space.
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>>;

    /// All spaces, by id.
    async fn spaces(&self) -> PortResult<Vec<Space>>;

    /// Makes a space or replaces its name and environments.
    async fn put_space(&self, space: &Space) -> PortResult<()>;

    /// What a space has settled for its webhooks; the default, version 0, when nothing was ever put.
    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings>;

    /// Replaces the settings if they still have the `expected` version; `settings.version` is what they get. `false`:
    /// they have another version. A change moves the version of [`Subscriptions`](crate::subscriptions::Subscriptions).
    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool>;
}

//! What a space has settled for all its webhooks: one document per space, versioned, cached beside the webhooks.

use crate::retry::RetryPolicy;
use crate::secret::Sealed;
use crate::timestamp::Timestamp;

/// The settings of a space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpaceSettings {
    /// Grows by one with every change; 0 is a space for which nothing was ever set.
    pub version: u64,
    /// The secret that signs the requests of the dialects whose CMS has one per space (Contentful).
    pub signing: Option<SpaceSigning>,
    /// The key pair that signs the requests of the dialects whose CMS has one per space and publishes its public half
    /// (Contentstack).
    pub rsa: Option<SpaceKey>,
    /// How often a failed call is repeated, for webhooks without a policy of their own (Contentful's former setting
    /// `maxRetries`, 2 to 99).
    pub max_retries: Option<u32>,
    /// What CMSs write into every payload.
    pub constants: SpaceConstants,
    /// Where Slack messages of this space may go.
    pub slack: Vec<SlackConnection>,
}

/// A space's signing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceSigning {
    /// Sealed.
    pub secret: Sealed,
    /// Its last four characters, so that people can tell which one it is.
    pub last_four: String,
    /// When it was set.
    pub created_at: Timestamp,
    /// By which token.
    pub created_by: String,
}

/// A space's key pair for signatures that anyone can verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceKey {
    /// The private half, sealed.
    pub secret: Sealed,
    /// The public half in PEM, for everyone to see.
    pub public_pem: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a CMS would know of itself and write into its payloads. What is not set is the space's id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpaceConstants {
    /// Contentstack's `api_key` of the stack.
    pub api_key: Option<String>,
    /// DatoCMS's `site_id`.
    pub site_id: Option<String>,
    /// Contismo's `project`.
    pub project: Option<String>,
}

/// A way into a Slack workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackConnection {
    /// Unique in the space.
    pub id: String,
    /// For people.
    pub name: String,
    /// What opens the door.
    pub access: SlackAccess,
    /// When it was made.
    pub created_at: Timestamp,
    /// By which token.
    pub created_by: String,
}

/// What opens the door to a Slack workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackAccess {
    /// A bot: posts into every channel it was invited to.
    Bot {
        /// Sealed.
        token: Sealed,
        /// The workspace's name, as Slack told it.
        team: String,
    },
    /// An incoming webhook: posts into the one channel it was made for.
    Incoming {
        /// Sealed: whoever has the URL can post.
        url: Sealed,
    },
}

impl SpaceSettings {
    /// How webhooks without a policy of their own are retried, if the space says so.
    pub fn retry_policy(&self) -> Option<RetryPolicy> {
        // What is out of bounds was never taken in.
        self.max_retries.and_then(|retries| RetryPolicy::contentful_max_retries(retries).ok())
    }

    /// A connection by its id.
    pub fn slack(&self, id: &str) -> Option<&SlackConnection> {
        self.slack.iter().find(|connection| connection.id == id)
    }
}

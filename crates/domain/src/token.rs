//! Who may do what: tokens carry a space and a role; roles bundle scopes (DESIGN §4.3).

use std::fmt;

use crate::id::{SpaceId, TokenId};
use crate::timestamp::Timestamp;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the stable name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// One permission.
    Permission {
        /// Publish events.
        EventsPublish = "events:publish",
        /// See webhooks.
        WebhooksList = "webhooks:list",
        /// Make webhooks.
        WebhooksCreate = "webhooks:create",
        /// Change webhooks.
        WebhooksUpdate = "webhooks:update",
        /// Delete webhooks.
        WebhooksDelete = "webhooks:delete",
        /// See events, deliveries and calls.
        CallsRead = "calls:read",
        /// Send again.
        CallsResend = "calls:resend",
        /// Connect Slack and sources.
        IntegrationsManage = "integrations:manage",
        /// Make and revoke tokens.
        TokensManage = "tokens:manage",
        /// Everything of the instance.
        Admin = "admin",
    }
}

named! {
    /// A bundle of permissions.
    Role {
        /// Everything.
        Admin = "admin",
        /// Everything inside the space but tokens.
        Editor = "editor",
        /// Makes and changes webhooks, connects nothing: may use the Slack that somebody else has connected.
        Developer = "developer",
        /// Looks, changes nothing.
        Viewer = "viewer",
        /// A CMS: publishes events, nothing else.
        Publisher = "publisher",
    }
}

/// A token as stored: hashed, never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Public id.
    pub id: TokenId,
    /// SHA-256 of the token. 256 random bits need no salt and no slow hash.
    pub sha256: [u8; 32],
    /// The first characters, for people to tell tokens apart.
    pub prefix: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What a token may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `None` is `*`: every space of the instance.
    pub space: Option<SpaceId>,
    /// The role.
    pub role: Role,
}

impl Role {
    /// What the role bundles.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Admin => P::ALL,
            Self::Editor => &[
                P::EventsPublish,
                P::WebhooksList,
                P::WebhooksCreate,
                P::WebhooksUpdate,
                P::WebhooksDelete,
                P::CallsRead,
                P::CallsResend,
                P::IntegrationsManage,
            ],
            Self::Developer => &[
                P::WebhooksList,
                P::WebhooksCreate,
                P::WebhooksUpdate,
                P::WebhooksDelete,
                P::CallsRead,
                P::CallsResend,
            ],
            Self::Viewer => &[P::WebhooksList, P::CallsRead],
            Self::Publisher => &[P::EventsPublish],
        }
    }
}

impl Grant {
    /// Whether it may see a space at all. A space it may not see is answered like one that does not exist.
    pub fn reaches(&self, space: &SpaceId) -> bool {
        self.space.as_ref().is_none_or(|own| own == space)
    }

    /// Whether it may do this in this space.
    pub fn allows(&self, space: &SpaceId, permission: Permission) -> bool {
        self.reaches(space) && self.role.permissions().contains(&permission)
    }
}

impl Token {
    /// Whether it counts at this instant.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

//! Who asks, and whether they may: the only place that decides.

use postrider_domain::id::{SpaceId, TokenId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Grant, Permission, Token};
use postrider_ports::access::Space;
use postrider_ports::error::PortError;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::Control;
use crate::error::{ControlError, ControlResult};

/// Whoever sends more than this as a token does not have one of ours (they have 47 characters).
const LONGEST_BEARER: usize = 512;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The token.
    pub token: TokenId,
    /// Its name, for people.
    pub name: String,
    /// What it may do, and where.
    pub grant: Grant,
}

/// Why a bearer token does not count.
#[derive(Debug, Error)]
pub enum Unauthenticated {
    /// There is no such token.
    #[error(
        "the access token is not known; make one with `POST /tokens` or take the one printed on first start"
    )]
    Unknown,
    /// It ended.
    #[error("the access token expired at {at}; ask for a new one")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It was revoked.
    #[error("the access token was revoked at {at}; ask for a new one")]
    Revoked {
        /// When.
        at: Timestamp,
    },
    /// The tokens cannot be looked up.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

impl Control {
    /// Who owns this bearer token. It is looked up by its SHA-256, so the time this takes says nothing about how much of
    /// a guess was right.
    pub async fn authenticate(&self, bearer: &str) -> Result<Actor, Unauthenticated> {
        if bearer.is_empty() || bearer.len() > LONGEST_BEARER {
            return Err(Unauthenticated::Unknown);
        }
        let found = self.deps.tokens.find(&hash(bearer)).await?;
        let token = found.ok_or(Unauthenticated::Unknown)?;
        match token {
            Token { revoked_at: Some(at), .. } => Err(Unauthenticated::Revoked { at }),
            Token { expires_at: Some(at), .. } if !token.is_valid(self.now()) => {
                Err(Unauthenticated::Expired { at })
            }
            Token { id, name, grant, .. } => Ok(Actor { token: id, name, grant }),
        }
    }

    /// Lets an actor into a space to do one kind of thing. A space it does not reach is answered like one that does not
    /// exist.
    pub(crate) async fn enter(
        &self,
        actor: &Actor,
        space: &SpaceId,
        permission: Permission,
    ) -> ControlResult<Space> {
        let entered = self.look_into(actor, space).await?;
        if !actor.grant.allows(space, permission) {
            return Err(ControlError::Denied { permission });
        }
        Ok(entered)
    }

    /// The space, for any token that reaches it.
    pub(crate) async fn look_into(&self, actor: &Actor, space: &SpaceId) -> ControlResult<Space> {
        let missing = || ControlError::missing("space", space);
        if !actor.grant.reaches(space) {
            return Err(missing());
        }
        self.deps.spaces.space(space).await?.ok_or_else(missing)
    }
}

impl Actor {
    /// Whether it has a permission at all; which spaces it reaches is asked apart.
    pub(crate) fn must_have(&self, permission: Permission) -> ControlResult<()> {
        if self.grant.role.permissions().contains(&permission) {
            Ok(())
        } else {
            Err(ControlError::Denied { permission })
        }
    }

    /// Whether it reaches the instance as a whole, with all rights.
    pub(crate) fn must_rule(&self) -> ControlResult<()> {
        if self.rules_instance() {
            Ok(())
        } else {
            Err(ControlError::Denied { permission: Permission::Admin })
        }
    }

    /// Whether it reaches every space and may do everything.
    pub(crate) fn rules_instance(&self) -> bool {
        self.grant.space.is_none() && self.grant.role.permissions().contains(&Permission::Admin)
    }
}

/// How a token is stored.
pub(crate) fn hash(bearer: &str) -> [u8; 32] {
    Sha256::digest(bearer.as_bytes()).into()
}

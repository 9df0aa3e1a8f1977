//! Who asks, and whether they may: the only place that decides.

use std::net::IpAddr;
use std::time::Duration;

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
    /// Too often: too many refused from this address, or too many requests of this token. Who waits is let in.
    #[error("{why}; try again in {} s", whole_seconds(*.retry_after))]
    Throttled {
        /// How long to wait, more than zero.
        retry_after: Duration,
        /// Of what there was too much.
        why: String,
    },
    /// The tokens cannot be looked up.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

impl Control {
    /// Who owns this bearer token. It is looked up by its SHA-256, so the time this takes says nothing about how much of
    /// a guess was right. `peer` is who is connected, if anybody is: an address from which too many tokens were refused
    /// has to wait, as has a token that asks too often. Every request counts, so this is called once for each.
    pub async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Actor, Unauthenticated> {
        let hash = (!bearer.is_empty() && bearer.len() <= LONGEST_BEARER).then(|| hash(bearer));
        let knock =
            self.throttle.knock(peer, hash.as_ref()).map_err(|retry_after| Unauthenticated::Throttled {
                retry_after,
                why: "too many access tokens from this address were refused".to_owned(),
            })?;
        let hash = hash.ok_or(Unauthenticated::Unknown)?;
        let found = match self.deps.tokens.find(&hash).await {
            Ok(found) => found,
            Err(error) => {
                self.throttle.was_not_answered(knock);
                return Err(error.into());
            }
        };
        match self.judge(found) {
            Ok(actor) => {
                self.throttle.was_valid(knock, hash);
                self.one_request(&actor)?;
                Ok(actor)
            }
            Err(refused) => {
                self.throttle.was_refused(&hash);
                Err(refused)
            }
        }
    }

    fn judge(&self, found: Option<Token>) -> Result<Actor, Unauthenticated> {
        let token = found.ok_or(Unauthenticated::Unknown)?;
        match token {
            Token { revoked_at: Some(at), .. } => Err(Unauthenticated::Revoked { at }),
            Token { expires_at: Some(at), .. } if !token.is_valid(self.now()) => {
                Err(Unauthenticated::Expired { at })
            }
            Token { id, name, grant, .. } => Ok(Actor { token: id, name, grant }),
        }
    }

    fn one_request(&self, actor: &Actor) -> Result<(), Unauthenticated> {
        let most = self.settings.requests_per_second;
        self.throttle.request(&actor.token).map_err(|retry_after| Unauthenticated::Throttled {
            retry_after,
            why: format!(
                "this token makes more than {most} requests per second (setting api.requests_per_second)"
            ),
        })
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
            return Err(ControlError::Denied { permission, whole_instance: false });
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
            Err(ControlError::Denied { permission, whole_instance: false })
        }
    }

    /// Whether it reaches the instance as a whole, with all rights.
    pub(crate) fn must_rule(&self) -> ControlResult<()> {
        if self.rules_instance() {
            Ok(())
        } else {
            Err(ControlError::Denied { permission: Permission::Admin, whole_instance: true })
        }
    }

    /// Whether it reaches every space and may do everything.
    pub(crate) fn rules_instance(&self) -> bool {
        self.grant.space.is_none() && self.grant.role.permissions().contains(&Permission::Admin)
    }
}

/// Seconds, rounded up: who waits so many is let in.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// How a token is stored.
pub(crate) fn hash(bearer: &str) -> [u8; 32] {
    Sha256::digest(bearer.as_bytes()).into()
}

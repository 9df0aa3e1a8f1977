//! Who may publish where. What was looked up is believed for a few seconds, and while the store is away for a minute: a
//! revoked token may work that long (DESIGN leaves the figures to us).

use std::sync::Arc;

use postrider_domain::id::{Scope, SourceId, SpaceId};
use postrider_domain::source::Source;
use postrider_domain::token::{Permission, Token};
use postrider_ports::access::{Space, Spaces, Tokens};
use postrider_ports::clock::Clock;
use postrider_ports::sources::Sources;
use sha2::{Digest, Sha256};

use crate::known::{Belief, Known};
use crate::problem::{Kind, Problem};
use crate::{Deps, Settings};

/// No token of ours is longer; what is longer is not even hashed.
const LONGEST_TOKEN: usize = 512;

/// Answers who may publish where.
pub struct Access {
    tokens: Arc<dyn Tokens>,
    spaces: Arc<dyn Spaces>,
    sources: Arc<dyn Sources>,
    clock: Arc<dyn Clock>,
    known_tokens: Known<[u8; 32], Token>,
    known_spaces: Known<SpaceId, Space>,
    known_sources: Known<(SpaceId, SourceId), Source>,
}

impl Access {
    /// Looks up in the stores of these, and believes what it found for as long as the settings say.
    pub fn new(deps: &Deps, settings: &Settings) -> Self {
        let belief = Belief { unasked: settings.believed_for, at_most: settings.unverified_for };
        let clock = || Arc::clone(&deps.clock);
        Self {
            tokens: Arc::clone(&deps.tokens),
            spaces: Arc::clone(&deps.spaces),
            sources: Arc::clone(&deps.sources),
            clock: clock(),
            known_tokens: Known::new(belief, clock()),
            known_spaces: Known::new(belief, clock()),
            known_sources: Known::new(belief, clock()),
        }
    }

    /// The token behind an `Authorization` header.
    pub async fn token(&self, authorization: Option<&[u8]>) -> Result<Token, Problem> {
        const FIX: &str = "send the header Authorization: Bearer <token> with a token that may publish events; \
                           `postrider serve` prints the first one, the management API makes more";
        let refused = |message: &str| Problem::new(Kind::Unauthenticated, message, FIX);
        let header = authorization.ok_or_else(|| refused("the request names no token"))?;
        let token = bearer(header)
            .ok_or_else(|| refused("the Authorization header is not of the form Bearer <token>"))?;
        let sha256 = <[u8; 32]>::from(Sha256::digest(token));
        let found = self.known_tokens.find(sha256, self.tokens.find(&sha256)).await;
        let found = found.map_err(|fault| Problem::from_port("look up the token", &fault))?;
        let now = self.clock.now();
        // One answer for unknown, revoked and expired: what a token once was is nobody's business.
        found
            .filter(|token| token.is_valid(now))
            .ok_or_else(|| refused("the token is not valid, or not any more"))
    }

    /// The space and environment of an address, if they exist and the token may publish there.
    pub async fn scope(&self, token: &Token, space: &str, environment: &str) -> Result<Scope, Problem> {
        let shown = space.chars().take(64).collect::<String>();
        let space = SpaceId::new(space).ok();
        // Judged before the space is looked up, so that a token learns nothing about the spaces of others.
        if let Some(own) = &token.grant.space
            && space.as_ref() != Some(own)
        {
            let message = format!("this token does not reach space {shown:?}");
            return Err(Problem::new(
                Kind::Forbidden,
                message,
                "use a token of that space, or publish to the token's",
            ));
        }
        let no_space = || {
            let fix =
                "correct the address /spaces/{space}/environments/{environment}/events, or make the space";
            Problem::new(Kind::NotFound, format!("there is no space {shown:?}"), fix)
        };
        let space = space.ok_or_else(no_space)?;
        if !token.grant.allows(&space, Permission::EventsPublish) {
            let role = token.grant.role;
            let message = format!("this token has the role {role}, which may not publish events");
            return Err(Problem::new(
                Kind::Forbidden,
                message,
                "use a token of the role publisher, editor or admin",
            ));
        }
        self.within(space, environment).await?.ok_or_else(no_space)
    }

    /// The source of an address. One that is not there, one of another space and one with an impossible id are answered
    /// alike.
    pub async fn source(&self, space: &str, id: &str) -> Result<Source, Problem> {
        let place = SpaceId::new(space).ok().zip(SourceId::new(id).ok());
        let found = match place {
            Some(place) => self.find_source(place).await?,
            None => None,
        };
        found.ok_or_else(|| {
            let fix = "correct the address, or make the source with POST /spaces/{space}/sources";
            Problem::new(Kind::NotFound, "there is no source at this address", fix)
        })
    }

    /// A source's space and an environment of it.
    pub async fn source_scope(&self, source: &Source, environment: &str) -> Result<Scope, Problem> {
        self.within(source.space.clone(), environment).await?.ok_or_else(|| {
            let message = format!("there is no space {} any more", source.space);
            Problem::new(Kind::NotFound, message, "make the space again")
        })
    }

    /// The environment of a space; `None` without the space.
    pub(crate) async fn within(&self, space: SpaceId, environment: &str) -> Result<Option<Scope>, Problem> {
        let Some(known) = self.space(&space).await? else { return Ok(None) };
        let environment =
            known.environments.into_iter().find(|one| one.as_str() == environment).ok_or_else(|| {
                let shown = environment.chars().take(64).collect::<String>();
                let message = format!("space {space} has no environment {shown:?}");
                Problem::new(Kind::NotFound, message, "correct the address, or make the environment")
            })?;
        Ok(Some(Scope { space, environment }))
    }

    async fn find_source(&self, place: (SpaceId, SourceId)) -> Result<Option<Source>, Problem> {
        let (space, id) = place.clone();
        let found = self.known_sources.find(place, self.sources.source(&space, &id)).await;
        found.map_err(|fault| Problem::from_port("look up the source", &fault))
    }

    async fn space(&self, id: &SpaceId) -> Result<Option<Space>, Problem> {
        let found = self.known_spaces.find(id.clone(), self.spaces.space(id)).await;
        found.map_err(|fault| Problem::from_port("look up the space", &fault))
    }
}

/// The token in `Bearer <token>`; the scheme may be of any case (RFC 9110 §11.1).
pub(crate) fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    let token = token.trim_ascii();
    let is_good = scheme.eq_ignore_ascii_case(b"bearer ") && (1..=LONGEST_TOKEN).contains(&token.len());
    is_good.then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_in_any_case_and_nothing_else_is() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bEARER  abc "), Some(&b"abc"[..]));
        let long = format!("Bearer {}", "x".repeat(LONGEST_TOKEN + 1));
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "Bearerabc", &long, "abc"] {
            assert_eq!(bearer(bad.as_bytes()), None, "{bad}");
        }
    }
}

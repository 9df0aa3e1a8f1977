//! Access tokens, and the first start.

use postrider_domain::id::{EnvironmentId, SpaceId, TokenId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Grant, Permission, Role, Token};
use postrider_ports::access::Space;

use crate::access::{Actor, hash};
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::webhooks::Secret;
use crate::{Control, names, random_text};

/// The space of a first start.
pub const FIRST_SPACE: &str = "default";
/// How many characters of a token are kept for people to tell tokens apart: `prt_` and four of 43.
const PREFIX: usize = 8;

/// A token as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDraft {
    /// For people, 1 to 256 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// `None` is every space of the instance.
    pub space: Option<SpaceId>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A token just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// As stored.
    pub token: Token,
    /// The token itself: shown this once and never again.
    pub secret: Secret,
}

impl Control {
    /// Makes a token. Needs `tokens:manage`; a token of one space makes tokens of that space only.
    pub async fn create_token(&self, actor: &Actor, draft: TokenDraft) -> ControlResult<NewToken> {
        actor.must_have(Permission::TokensManage)?;
        match &draft.space {
            Some(space) => drop(self.enter(actor, space, Permission::TokensManage).await?),
            None => actor.must_rule()?,
        }
        let mut faults = Vec::new();
        names::check(&draft.name, &mut faults);
        if let Some(at) = draft.expires_at.filter(|at| *at <= self.now()) {
            let problem = format!("{at} is over");
            faults.push(FieldFault::new(
                "expiresAt",
                "range",
                problem,
                "give an instant to come, or leave it out",
            ));
        }
        if !faults.is_empty() {
            return Err(ControlError::Invalid(faults));
        }
        let (most, now) = (self.settings.tokens_per_space, self.now());
        let tokens = self.deps.tokens.list().await?;
        let beside = |token: &&Token| token.grant.space == draft.space && token.is_valid(now);
        if tokens.iter().filter(beside).count() >= most {
            return Err(ControlError::full(most, "valid tokens", "limits.tokens_per_space"));
        }
        self.insert_token(draft).await
    }

    /// The tokens that the actor may manage, oldest first. Needs `tokens:manage`.
    pub async fn tokens(&self, actor: &Actor) -> ControlResult<Vec<Token>> {
        actor.must_have(Permission::TokensManage)?;
        let mut tokens = self.deps.tokens.list().await?;
        tokens.retain(|token| manages(actor, token));
        Ok(tokens)
    }

    /// Revokes a token at once. Needs `tokens:manage`. The last one that rules the instance stays: without it nobody
    /// could make another.
    pub async fn revoke_token(&self, actor: &Actor, id: &TokenId) -> ControlResult<()> {
        actor.must_have(Permission::TokensManage)?;
        let tokens = self.deps.tokens.list().await?;
        let found = tokens.iter().find(|token| token.id == *id && manages(actor, token));
        let token = found.ok_or_else(|| ControlError::missing("token", id))?;
        let rules = |token: &Token| {
            token.is_valid(self.now())
                && token.expires_at.is_none()
                && token.grant == Grant { space: None, role: Role::Admin }
        };
        if rules(token) && tokens.iter().filter(|token| rules(token)).count() == 1 {
            return Err(ControlError::Conflict(
                "this is the last lasting token with admin rights over the instance; make another one first"
                    .into(),
            ));
        }
        if self.deps.tokens.revoke(id, self.now()).await? {
            Ok(())
        } else {
            Err(ControlError::missing("token", id))
        }
    }

    /// What a first start needs: the space `default` with the environment `master` if there is no space, and an admin
    /// token if there is no token. Returns that token, to be shown once.
    pub async fn bootstrap(&self) -> ControlResult<Option<Secret>> {
        if self.deps.spaces.spaces().await?.is_empty() {
            let id = SpaceId::new(FIRST_SPACE).map_err(|error| ControlError::Conflict(error.to_string()))?;
            let space = Space {
                id,
                name: "Default".to_owned(),
                environments: vec![EnvironmentId::master()],
                created_at: self.now(),
            };
            self.deps.spaces.put_space(&space).await?;
        }
        if !self.deps.tokens.list().await?.is_empty() {
            return Ok(None);
        }
        let draft =
            TokenDraft { name: "first start".to_owned(), role: Role::Admin, space: None, expires_at: None };
        Ok(Some(self.insert_token(draft).await?.secret))
    }

    async fn insert_token(&self, draft: TokenDraft) -> ControlResult<NewToken> {
        let random = &*self.deps.random;
        let text = random_text::token(random);
        let id = TokenId::new(&random_text::id(random))
            .map_err(|error| ControlError::Conflict(error.to_string()))?;
        let token = Token {
            id,
            sha256: hash(&text),
            prefix: text.chars().take(PREFIX).collect(),
            name: draft.name,
            grant: Grant { space: draft.space, role: draft.role },
            created_at: self.now(),
            expires_at: draft.expires_at,
            revoked_at: None,
        };
        self.deps.tokens.insert(&token).await?;
        Ok(NewToken { token, secret: Secret::new(text) })
    }
}

/// A token of one space sees the tokens of that space; one of the instance sees all.
fn manages(actor: &Actor, token: &Token) -> bool {
    actor.grant.space.is_none() || actor.grant.space == token.grant.space
}

//! The token that a first start makes, or one that an operator asks for.

use postrider_control::tokens::TokenDraft;
use postrider_control::{Actor, Control, ControlError, ControlResult};
use postrider_domain::id::TokenId;
use postrider_domain::token::{Grant, Role};

/// Makes the space, environment and token of a first start, or one more admin token: whoever holds data folder or database
/// rules the instance.
pub(super) async fn first_token(control: &Control, wanted: bool) -> ControlResult<FirstToken> {
    if let Some(first) = control.bootstrap().await? {
        return Ok(FirstToken::First(first.reveal().to_owned()));
    }
    if !wanted {
        return Ok(FirstToken::None);
    }
    let grant = Grant { space: None, role: Role::Admin };
    let name = "made with --new-token".to_owned();
    let id = TokenId::new("operator").map_err(|error| ControlError::Conflict(error.to_string()))?;
    let operator = Actor { token: id, name: "the operator".to_owned(), grant };
    let draft = TokenDraft { name, role: Role::Admin, space: None, expires_at: None };
    Ok(FirstToken::Another(control.create_token(&operator, draft).await?.secret.reveal().to_owned()))
}

/// Which token was made.
pub(super) enum FirstToken {
    /// The first of this instance, which is new.
    First(String),
    /// One more.
    Another(String),
    /// None.
    None,
}

impl FirstToken {
    /// Its text, to be shown once.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::First(text) | Self::Another(text) => Some(text),
            Self::None => None,
        }
    }
}

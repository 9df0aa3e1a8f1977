//! What a space has settled for all its webhooks: its signing secret, and how often failed calls are repeated.

use postrider_dialects::contentstack;
use postrider_domain::id::SpaceId;
use postrider_domain::retry::RetryPolicy;
use postrider_domain::space::{SpaceKey, SpaceSettings, SpaceSigning};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::Permission;
use postrider_ports::error::PortError;
use postrider_ports::secrets::{Place, RSA, SIGNING, SPACE};

use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult, FieldFault};

/// Length of a space's signing secret in characters (Contentful's page on webhook secrets).
const SECRET_LENGTH: usize = 64;
/// How many of its last characters are kept for people to tell secrets apart (Contentful's `redactedValue`).
const SHOWN: usize = 4;
/// How often a change is tried again when somebody else was faster.
const TRIES: usize = 5;

/// A space's signing secret as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSecret {
    /// Its last four characters.
    pub last_four: String,
    /// When it was set.
    pub created_at: Timestamp,
    /// By which token.
    pub created_by: String,
}

impl From<&SpaceSigning> for SigningSecret {
    fn from(signing: &SpaceSigning) -> Self {
        let SpaceSigning { last_four, created_at, created_by, .. } = signing;
        Self { last_four: last_four.clone(), created_at: *created_at, created_by: created_by.clone() }
    }
}

impl Control {
    /// The space's signing secret, without the secret. Needs `webhooks:list`.
    pub async fn signing_secret(&self, actor: &Actor, space: &SpaceId) -> ControlResult<SigningSecret> {
        self.enter(actor, space, Permission::WebhooksList).await?;
        let settings = self.settings_of(space).await?;
        settings.signing.as_ref().map(SigningSecret::from).ok_or_else(no_secret)
    }

    /// Sets the space's signing secret: 64 of `0-9 a-z A-Z + / = _ -`. It signs from the next request on, everywhere
    /// within a second; the one before stops signing. Needs `webhooks:update`.
    pub async fn put_signing_secret(
        &self,
        actor: &Actor,
        space: &SpaceId,
        value: String,
    ) -> ControlResult<SigningSecret> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        check_secret(&value).map_err(ControlError::fault)?;
        let place = Place { space, owner: SPACE, field: SIGNING };
        let signing = SpaceSigning {
            secret: self.deps.secrets.seal(place, &value)?,
            last_four: value[SECRET_LENGTH - SHOWN..].to_owned(),
            created_at: self.now(),
            created_by: actor.token.to_string(),
        };
        let view = SigningSecret::from(&signing);
        self.settle(space, |settings| {
            settings.signing = Some(signing.clone());
            Ok(())
        })
        .await?;
        Ok(view)
    }

    /// Takes the space's signing secret away; what it signed goes out unsigned from now on. Needs `webhooks:update`.
    pub async fn delete_signing_secret(&self, actor: &Actor, space: &SpaceId) -> ControlResult<()> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        self.settle(space, |settings| settings.signing.take().map(drop).ok_or_else(no_secret)).await
    }

    /// How often failed calls are repeated for webhooks without a policy of their own. Needs `webhooks:list`.
    pub async fn retry_policy(&self, actor: &Actor, space: &SpaceId) -> ControlResult<u32> {
        self.enter(actor, space, Permission::WebhooksList).await?;
        self.settings_of(space).await?.max_retries.ok_or_else(no_policy)
    }

    /// Sets it: 2 to 99 (Contentful's bounds). Needs `webhooks:update`.
    pub async fn put_retry_policy(
        &self,
        actor: &Actor,
        space: &SpaceId,
        max_retries: u32,
    ) -> ControlResult<u32> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        if RetryPolicy::contentful_max_retries(max_retries).is_err() {
            let problem = format!("{max_retries} retries are out of range");
            return Err(ControlError::fault(FieldFault::new("maxRetries", "range", problem, "give 2 to 99")));
        }
        self.settle(space, |settings| {
            settings.max_retries = Some(max_retries);
            Ok(())
        })
        .await?;
        Ok(max_retries)
    }

    /// Takes it away: each webhook is retried as its dialect says again. Needs `webhooks:update`.
    pub async fn delete_retry_policy(&self, actor: &Actor, space: &SpaceId) -> ControlResult<()> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        self.settle(space, |settings| settings.max_retries.take().map(drop).ok_or_else(no_policy)).await
    }

    /// The public half of the key pair that signs the space's requests to receivers of Contentstack, as they fetch it
    /// (`/.well-known/public-keys.json`): public, so it needs no token. There is one once the space has such a webhook.
    pub async fn public_keys(&self, space: &SpaceId) -> ControlResult<String> {
        let settings = self.settings_of(space).await?;
        let key = settings.rsa.ok_or_else(|| {
            ControlError::NotFound(
                "there is no public key here: it is made with the first webhook of the dialect contentstack"
                    .to_owned(),
            )
        })?;
        Ok(contentstack::public_keys(&key.public_pem))
    }

    /// Makes the key pair that a dialect signs with, if the space has none yet.
    pub(crate) async fn prepare_key(&self, space: &SpaceId, dialect: &str) -> ControlResult<()> {
        if dialect != contentstack::NAME || self.settings_of(space).await?.rsa.is_some() {
            return Ok(());
        }
        // Up to a second of processor time, once in the life of a space: not worth a thread of its own.
        let key = contentstack::new_key().ok_or_else(|| {
            ControlError::Unavailable(PortError::transient(
                "making a key pair: the system gives no randomness",
            ))
        })?;
        let secret = self.deps.secrets.seal(Place { space, owner: SPACE, field: RSA }, &key.secret)?;
        let made = SpaceKey { secret, public_pem: key.public_pem, created_at: self.now() };
        self.settle(space, |settings| {
            settings.rsa.get_or_insert_with(|| made.clone());
            Ok(())
        })
        .await
    }

    /// The settings of a space, as its webhooks are called with them.
    pub(crate) async fn settings_of(&self, space: &SpaceId) -> ControlResult<SpaceSettings> {
        Ok(self.deps.spaces.settings(space).await?)
    }

    /// Reads, changes, and writes if nobody was faster; tries again if somebody was. A change that leaves all as it is is
    /// none.
    pub(crate) async fn settle(
        &self,
        space: &SpaceId,
        change: impl Fn(&mut SpaceSettings) -> ControlResult<()> + Send,
    ) -> ControlResult<()> {
        for _ in 0..TRIES {
            let before = self.settings_of(space).await?;
            let mut after = before.clone();
            change(&mut after)?;
            if after == before {
                return Ok(());
            }
            after.version = before.version + 1;
            if self.deps.spaces.put_settings(space, &after, before.version).await? {
                return Ok(());
            }
        }
        Err(ControlError::Conflict(format!(
            "the settings of space {space} are being changed by others all the time; try again"
        )))
    }
}

fn no_secret() -> ControlError {
    ControlError::NotFound("this space has no signing secret".to_owned())
}

fn no_policy() -> ControlError {
    ControlError::NotFound("this space has no retry policy of its own".to_owned())
}

/// The fault does not repeat the secret.
fn check_secret(value: &str) -> Result<(), FieldFault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte);
    if value.len() == SECRET_LENGTH && value.bytes().all(allowed) {
        return Ok(());
    }
    let fix =
        "give exactly 64 characters of 0-9 a-z A-Z + / = _ -, for example those of `openssl rand -hex 32`";
    Err(FieldFault::new("value", "format", "it cannot be a signing secret", fix))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_has_64_characters_of_contentfuls_alphabet() {
        for good in ["a".repeat(64), "+/=_-09AZaz".repeat(6)[..64].to_owned()] {
            assert_eq!(check_secret(&good), Ok(()));
        }
        for bad in ["", "a", &"a".repeat(63), &"a".repeat(65), &" ".repeat(64), &"é".repeat(32)] {
            assert!(check_secret(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_and_never_repeated(text in "\\PC{0,70}") {
            if let Err(fault) = check_secret(&text) {
                prop_assert_eq!(fault.value, None);
            } else {
                prop_assert_eq!(text[SECRET_LENGTH - SHOWN..].len(), SHOWN);
            }
        }
    }
}

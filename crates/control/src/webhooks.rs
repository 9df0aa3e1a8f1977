//! Webhooks: make, show, change, delete, switch on and off, rotate the secret.

use std::time::Duration;

use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::token::Permission;
use postrider_domain::webhook::{Status, Webhook};
use postrider_ports::error::PortErrorKind;
use postrider_ports::registry::Written;

use crate::access::Actor;
use crate::assembly::dialect;
use crate::draft::WebhookDraft;
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::signing::{DEFAULT_OVERLAP, LONGEST_OVERLAP, check_secret};
use crate::{Control, random_text};

pub mod order;

use order::SortKey;

/// The dialect of a webhook that names none.
pub const DEFAULT_DIALECT: &str = postrider_dialects::native::NAME;
/// How often a change is tried again when somebody else was faster and no version was expected.
const CHANGE_TRIES: usize = 5;

/// A webhook after it was made or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedWebhook {
    /// As it stands now.
    pub webhook: Webhook,
    /// The signing secret, if one was drawn: shown this once and never again.
    pub new_secret: Option<Secret>,
    /// What is odd about it, in words.
    pub warnings: Vec<String>,
    /// Whether it was made just now.
    pub created: bool,
}

/// A secret to be shown once. Not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// How a signing secret is to be rotated.
#[derive(Clone, Default)]
pub struct Rotation {
    /// The new secret; drawn when absent.
    pub secret: Option<String>,
    /// How long the old ones sign beside it: at most 30 days, a day unless given.
    pub overlap: Option<Duration>,
}

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Control {
    /// Makes a webhook under a drawn id. Needs `webhooks:create`.
    pub async fn create_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        draft: WebhookDraft,
    ) -> ControlResult<SavedWebhook> {
        self.enter(actor, space, Permission::WebhooksCreate).await?;
        let id = random_text::id(&*self.deps.random);
        let id = WebhookId::new(&id).map_err(|error| ControlError::Conflict(error.to_string()))?;
        self.insert_webhook(actor, space, &id, draft).await
    }

    /// Replaces a webhook, or makes it under this id when there is none and no version above 0 is expected. Needs
    /// `webhooks:update`, or `webhooks:create` to make one.
    pub async fn put_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
        draft: WebhookDraft,
        expected: Option<u64>,
    ) -> ControlResult<SavedWebhook> {
        self.look_into(actor, space).await?;
        if self.deps.registry.get(space, id).await?.is_none() {
            self.enter(actor, space, Permission::WebhooksCreate).await?;
            return match expected {
                None | Some(0) => self.insert_webhook(actor, space, id, draft).await,
                Some(_) => Err(ControlError::missing("webhook", id)),
            };
        }
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        let connections = self.connections_for(space, &draft).await?;
        let mut extra = (None, Vec::new());
        let webhook = self
            .change(space, id, expected, |before| {
                let built = self.build(actor, space, id, &draft, Some(before), &connections)?;
                extra = (built.new_secret, built.warnings);
                Ok(built.webhook)
            })
            .await?;
        self.prepare_key(space, &webhook.dialect).await?;
        Ok(SavedWebhook { webhook, new_secret: extra.0, warnings: extra.1, created: false })
    }

    /// One webhook. Needs `webhooks:list`.
    pub async fn webhook(&self, actor: &Actor, space: &SpaceId, id: &WebhookId) -> ControlResult<Webhook> {
        self.enter(actor, space, Permission::WebhooksList).await?;
        self.existing(space, id).await
    }

    /// The webhooks of a space, in this order or else newest first, and how many there are. Needs `webhooks:list`.
    ///
    /// To order them all of them are read, of which there are at most [`Settings::webhooks_per_space`](crate::Settings).
    pub async fn webhooks(
        &self,
        actor: &Actor,
        space: &SpaceId,
        order: &[SortKey],
        (skip, limit): (usize, usize),
    ) -> ControlResult<(Vec<Webhook>, usize)> {
        self.enter(actor, space, Permission::WebhooksList).await?;
        if order.is_empty() {
            return Ok(self.deps.registry.list(space, skip, limit).await?);
        }
        // What an earlier, higher limit let in is there too, hence no limit here.
        let (mut webhooks, total) = self.deps.registry.list(space, 0, usize::MAX).await?;
        order::sort(&mut webhooks, order);
        Ok((webhooks.into_iter().skip(skip).take(limit).collect(), total))
    }

    /// Deletes a webhook; what is pending for it becomes cancelled. Needs `webhooks:delete`.
    pub async fn delete_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
        expected: Option<u64>,
    ) -> ControlResult<()> {
        self.enter(actor, space, Permission::WebhooksDelete).await?;
        match self.deps.registry.delete(space, id, expected).await? {
            Written::Done(_) => Ok(()),
            Written::Missing => Err(ControlError::missing("webhook", id)),
            Written::VersionMismatch { current } => {
                Err(ControlError::VersionMismatch { current, given: expected.unwrap_or(current) })
            }
        }
    }

    /// Switches a webhook on or off. Off: what is pending for it becomes cancelled. On: what was cancelled meanwhile stays
    /// so. Needs `webhooks:update`.
    pub async fn switch_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
        on: bool,
        expected: Option<u64>,
    ) -> ControlResult<Webhook> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        self.change(space, id, expected, |before| {
            if before.is_active() == on {
                return Ok(before.clone());
            }
            let status = if on { Status::Active } else { self.disabled_by(actor) };
            Ok(Webhook { status, ..self.next_version(actor, before) })
        })
        .await
    }

    /// Gives a webhook a new signing secret; the old ones sign beside it until the overlap is over. Needs
    /// `webhooks:update`.
    pub async fn rotate_secret(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
        rotation: &Rotation,
        expected: Option<u64>,
    ) -> ControlResult<SavedWebhook> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        let overlap = rotation.overlap.unwrap_or(DEFAULT_OVERLAP);
        if overlap > LONGEST_OVERLAP {
            let problem = format!("{overlap:?} is too long");
            return Err(ControlError::fault(FieldFault::new(
                "overlap",
                "range",
                problem,
                "give at most 30 days",
            )));
        }
        let mut drawn = None;
        let webhook = self
            .change(space, id, expected, |before| {
                if before.action.slack().is_some() {
                    let said = format!("webhook {id} posts to Slack, where nothing is signed");
                    return Err(ControlError::Conflict(said));
                }
                let sealer = self.sealer(space, id);
                let signer = self.signer(dialect(&before.dialect)?, &sealer);
                if let Some(secret) = &rotation.secret {
                    check_secret(secret, "secret").map_err(ControlError::fault)?;
                }
                let signed = signer.rotated(&before.signing, rotation.secret.as_deref(), overlap)?;
                drawn = signed.drawn;
                Ok(Webhook { signing: signed.secrets, ..self.next_version(actor, before) })
            })
            .await?;
        Ok(SavedWebhook { webhook, new_secret: drawn.map(Secret), warnings: Vec::new(), created: false })
    }

    pub(crate) async fn existing(&self, space: &SpaceId, id: &WebhookId) -> ControlResult<Webhook> {
        let found = self.deps.registry.get(space, id).await?;
        found.ok_or_else(|| ControlError::missing("webhook", id))
    }

    async fn insert_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
        draft: WebhookDraft,
    ) -> ControlResult<SavedWebhook> {
        let connections = self.connections_for(space, &draft).await?;
        let built = self.build(actor, space, id, &draft, None, &connections)?;
        let most = self.settings.webhooks_per_space;
        if self.deps.registry.list(space, 0, 1).await?.1 >= most {
            return Err(ControlError::full(most, "webhooks", "limits.webhooks_per_space"));
        }
        self.prepare_key(space, &built.webhook.dialect).await?;
        self.deps.registry.create(&built.webhook).await.map_err(|error| match error.kind {
            PortErrorKind::Conflict => ControlError::Conflict(format!(
                "a webhook {id} was made at the same moment; read it and send your change again"
            )),
            _ => ControlError::Unavailable(error),
        })?;
        Ok(built)
    }

    /// Reads, changes, and writes if nobody was faster; tries again if somebody was and no version was expected. A
    /// change that leaves the version alone is none.
    async fn change(
        &self,
        space: &SpaceId,
        id: &WebhookId,
        expected: Option<u64>,
        mut change: impl FnMut(&Webhook) -> ControlResult<Webhook> + Send,
    ) -> ControlResult<Webhook> {
        for _ in 0..CHANGE_TRIES {
            let before = self.existing(space, id).await?;
            if let Some(given) = expected.filter(|given| *given != before.version) {
                return Err(ControlError::VersionMismatch { current: before.version, given });
            }
            let after = change(&before)?;
            if after.version == before.version {
                return Ok(before);
            }
            match self.deps.registry.update(&after, before.version).await? {
                Written::Done(webhook) => return Ok(*webhook),
                Written::Missing => return Err(ControlError::missing("webhook", id)),
                Written::VersionMismatch { .. } => {}
            }
        }
        Err(ControlError::Conflict(format!(
            "webhook {id} is being changed by others all the time; try again"
        )))
    }
}

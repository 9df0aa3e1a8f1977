//! Puts a webhook together from what is asked for: everything checked at once, secrets sealed.

use postrider_dialects::Dialect;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::space::SlackConnection;
use postrider_domain::webhook::{Audit, Disabled, DisabledBy, Status, Webhook, WebhookAction};

use crate::access::Actor;
use crate::draft::WebhookDraft;
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::http_target::{self, Sealer, Setting};
use crate::signing::{Signed, Signer};
use crate::wanted::{self, Findings};
use crate::webhooks::{DEFAULT_DIALECT, SavedWebhook, Secret};
use crate::{Control, names, pacing, render, slack_target};

impl Control {
    /// Checks everything and puts the webhook together, sealed. `connections` are those of [`Control::connections_for`].
    pub(crate) fn build(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
        draft: &WebhookDraft,
        before: Option<&Webhook>,
        connections: &[SlackConnection],
    ) -> ControlResult<SavedWebhook> {
        let mut faults = draft.faults.clone();
        let mut warnings = Vec::new();
        let name = name(draft.name.as_deref(), &mut faults);
        let dialect = chosen_dialect(draft, before, &mut faults)?;
        let is_said = draft.slack.is_none();
        let mut findings = Findings { faults: &mut faults, warnings: &mut warnings, is_said };
        let wants = wanted::wants(draft, dialect, &mut findings);
        let sealer = self.sealer(space, id);
        let action = if let Some(slack) = &draft.slack {
            WebhookAction::Slack(slack_target::target(draft, slack, connections, &mut faults))
        } else {
            let target_before = before.and_then(|webhook| webhook.action.http());
            let plain_http = self.settings.plain_http;
            let setting = Setting { before: target_before, sealer: &sealer, plain_http, dialect };
            let target = http_target::target(draft, &setting, &mut faults)?;
            warnings.extend(render::doubt(&target.render, target.method));
            WebhookAction::Http(target)
        };
        let options = render::options(draft, dialect, &mut faults);
        let secrets_before = before.map_or(&[][..], |webhook| &webhook.signing);
        let signed = match &action {
            WebhookAction::Slack(_) => Signed::default(),
            WebhookAction::Http(_) => {
                self.signer(dialect, &sealer).signed(&draft.signing, secrets_before, &mut faults)?
            }
        };
        let timeout = pacing::timeout(draft.timeout, &mut faults);
        let retry = pacing::retry(draft.retry.as_ref(), &mut faults);
        let coalesce = pacing::coalesce(draft.coalesce, &mut faults);
        let rate_limit = pacing::rate_limit(draft.rate_limit, &mut faults);
        if !faults.is_empty() {
            return Err(ControlError::Invalid(faults));
        }
        let (version, audit) = self.stamp(actor, before);
        let webhook = Webhook {
            id: id.clone(),
            space: space.clone(),
            name,
            status: self.status(actor, draft.active, before),
            wants,
            action,
            dialect: dialect.name().to_owned(),
            options,
            signing: signed.secrets,
            retry,
            timeout,
            coalesce,
            rate_limit,
            version,
            audit,
        };
        let new_secret = signed.drawn.map(Secret::new);
        Ok(SavedWebhook { webhook, new_secret, warnings, created: before.is_none() })
    }

    /// The connections that a draft may name; none are read for one that posts nowhere.
    pub(crate) async fn connections_for(
        &self,
        space: &SpaceId,
        draft: &WebhookDraft,
    ) -> ControlResult<Vec<SlackConnection>> {
        if draft.slack.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.settings_of(space).await?.slack)
    }

    /// An active flag that says nothing is active (Contentful's rule); a webhook that is off keeps its reason.
    fn status(&self, actor: &Actor, active: Option<bool>, before: Option<&Webhook>) -> Status {
        match before.map(|webhook| &webhook.status) {
            _ if active.unwrap_or(true) => Status::Active,
            Some(Status::Disabled(disabled)) => Status::Disabled(disabled.clone()),
            _ => self.disabled_by(actor),
        }
    }

    pub(crate) fn disabled_by(&self, actor: &Actor) -> Status {
        let reason = format!("switched off with the token {}", actor.name);
        Status::Disabled(Disabled { at: self.now(), by: DisabledBy::User, reason })
    }

    fn stamp(&self, actor: &Actor, before: Option<&Webhook>) -> (u64, Audit) {
        let (now, who) = (self.now(), actor.token.to_string());
        let fresh =
            Audit { created_at: now, created_by: who.clone(), updated_at: now, updated_by: who.clone() };
        before.map_or((0, fresh), |webhook| {
            (webhook.version + 1, Audit { updated_at: now, updated_by: who, ..webhook.audit.clone() })
        })
    }

    pub(crate) fn next_version(&self, actor: &Actor, before: &Webhook) -> Webhook {
        let (version, audit) = self.stamp(actor, Some(before));
        Webhook { version, audit, ..before.clone() }
    }

    pub(crate) fn sealer<'a>(&'a self, space: &'a SpaceId, webhook: &'a WebhookId) -> Sealer<'a> {
        Sealer { secrets: &*self.deps.secrets, space, webhook }
    }

    pub(crate) fn signer<'a>(&'a self, dialect: &'a dyn Dialect, sealer: &'a Sealer<'a>) -> Signer<'a> {
        Signer { dialect, sealer, random: &*self.deps.random, now: self.now() }
    }
}

fn name(given: Option<&str>, faults: &mut Vec<FieldFault>) -> String {
    match given {
        None => faults.push(FieldFault::new("name", "required", "a webhook needs a name", "give one")),
        Some(name) => names::check(name, faults),
    }
    given.unwrap_or_default().to_owned()
}

/// The dialect that is named, else the one it has, else that of new webhooks.
fn chosen_dialect(
    draft: &WebhookDraft,
    before: Option<&Webhook>,
    faults: &mut Vec<FieldFault>,
) -> ControlResult<&'static dyn Dialect> {
    let kept = before.map(|webhook| webhook.dialect.as_str()).or(draft.default_dialect.as_deref());
    let name = draft.dialect.as_deref().or(kept).unwrap_or(DEFAULT_DIALECT);
    if let Some(dialect) = postrider_dialects::dialect(name) {
        return Ok(dialect);
    }
    let fix = format!("use one of {}", postrider_dialects::names().join(", "));
    faults.push(FieldFault::new("dialect", "in", "there is no such dialect", fix).given(name));
    // The other fields are still checked, so that all faults come at once.
    dialect(DEFAULT_DIALECT)
}

/// The dialect of a stored webhook.
pub(crate) fn dialect(name: &str) -> ControlResult<&'static dyn Dialect> {
    postrider_dialects::dialect(name).ok_or_else(|| {
        ControlError::Conflict(format!(
            "this version does not speak the dialect {name} of this webhook; change the webhook's dialect"
        ))
    })
}

//! The keys that seal secrets: which there are, what is sealed with each, and sealing everything anew with the active one.
//!
//! Keys themselves never pass through here: a ring is kept in a file or a setting, and read by each process.

mod reseal;

use std::collections::BTreeMap;

use postrider_domain::id::SpaceId;
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Webhook;
use postrider_ports::error::PortError;
use postrider_ports::keys::{visit_settings, visit_source, visit_webhook};
use postrider_ports::secrets::Place;

use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult};

/// How many secrets one request seals anew at most: each is a write, so this takes a few seconds.
pub const MOST_RESEALED: usize = 1_000;

/// How many secrets, by what holds them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealings {
    /// Of webhooks: signing secrets, passwords, secret headers.
    pub webhooks: usize,
    /// Of sources.
    pub sources: usize,
    /// Of the settings of spaces.
    pub settings: usize,
}

/// A key, and what is sealed with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Its id.
    pub id: String,
    /// Whether it seals.
    pub active: bool,
    /// Whether this process has it. What is sealed with a key that it lacks does not open.
    pub in_ring: bool,
    /// How many secrets are sealed with it.
    pub sealed: Sealings,
}

/// The ring of the process that was asked, and everything that is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysInUse {
    /// The active key, the others in the ring's order, then those that are used and not in the ring.
    pub keys: Vec<KeyUse>,
    /// Stored values that name no key: they were damaged, and do not open.
    pub damaged: Sealings,
}

/// What is to be sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResealOrder {
    /// The key that must be the active one, if it matters.
    pub key: Option<String>,
    /// The space to begin with; those before it, by id, are done.
    pub from: Option<SpaceId>,
    /// How many secrets at most, 1 to [`MOST_RESEALED`].
    pub limit: usize,
}

/// What was sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// With this key.
    pub active: String,
    /// How many secrets.
    pub resealed: Sealings,
    /// What could not be, the first hundred.
    pub failed: Vec<NotResealed>,
    /// How many could not be.
    pub failures: usize,
    /// The space to go on with; `None` at the end.
    pub next: Option<SpaceId>,
}

/// A secret that could not be sealed anew. It stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotResealed {
    /// What holds it.
    pub holder: Holder,
    /// Its space.
    pub space: SpaceId,
    /// Its id.
    pub id: String,
    /// Why, and what to do.
    pub reason: String,
}

/// What holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A webhook.
    Webhook,
    /// A source.
    Source,
    /// The settings of a space.
    Settings,
}

impl Holder {
    /// As in `sys.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "WebhookDefinition",
            Self::Source => "Source",
            Self::Settings => "SpaceSettings",
        }
    }
}

impl Sealings {
    /// All of them.
    pub fn total(&self) -> usize {
        self.webhooks + self.sources + self.settings
    }

    fn add(&mut self, holder: Holder, count: usize) {
        *match holder {
            Holder::Webhook => &mut self.webhooks,
            Holder::Source => &mut self.sources,
            Holder::Settings => &mut self.settings,
        } += count;
    }
}

impl Control {
    /// The keys of this process, read again, and how many secrets are sealed with each. Everything stored is read for it,
    /// one space at a time. Needs `admin` of the instance.
    pub async fn keys(&self, actor: &Actor) -> ControlResult<KeysInUse> {
        actor.must_rule()?;
        let ids = self.deps.keys.reread().map_err(|error| unreadable(&error))?;
        let mut tally = Tally { control: self, sealed: BTreeMap::new(), damaged: Sealings::default() };
        for space in self.deps.spaces.spaces().await? {
            let mut holdings = self.holdings(&space.id).await?;
            visit_settings(&space.id, &mut holdings.settings, &mut |_, sealed| {
                tally.count(Holder::Settings, sealed)
            })?;
            for mut webhook in holdings.webhooks {
                visit_webhook(&mut webhook, &mut |_, sealed| tally.count(Holder::Webhook, sealed))?;
            }
            for mut source in holdings.sources {
                visit_source(&mut source, &mut |_, sealed| tally.count(Holder::Source, sealed))?;
            }
        }
        let Tally { mut sealed, damaged, .. } = tally;
        let in_ring = std::iter::once(&ids.active).chain(&ids.others).map(|id| KeyUse {
            id: id.clone(),
            active: *id == ids.active,
            in_ring: true,
            sealed: sealed.remove(id).unwrap_or_default(),
        });
        let mut keys: Vec<KeyUse> = in_ring.collect();
        keys.extend(sealed.into_iter().map(|(id, sealed)| KeyUse {
            id,
            active: false,
            in_ring: false,
            sealed,
        }));
        Ok(KeysInUse { keys, damaged })
    }

    /// The same secret, sealed with the active key: nothing is ever written with an older one. What does not open stays.
    pub(crate) fn renewed(&self, place: Place<'_>, sealed: &Sealed) -> ControlResult<Sealed> {
        let active = self.deps.keys.reread()?.active;
        if !self.is_old(sealed, &active) {
            return Ok(sealed.clone());
        }
        match self.deps.secrets.open(place, sealed) {
            Ok(secret) => Ok(self.deps.secrets.seal(place, &secret)?),
            Err(_) => Ok(sealed.clone()),
        }
    }

    /// Whether another key than the active one sealed it.
    fn is_old(&self, sealed: &Sealed, active: &str) -> bool {
        self.deps.keys.sealed_with(sealed) != Some(active)
    }

    /// What of a space holds secrets. A list in pages could miss what moves from one to another while it is read, hence the
    /// whole: [`Settings::webhooks_per_space`](crate::Settings) bounds it.
    async fn holdings(&self, space: &SpaceId) -> ControlResult<Holdings> {
        let (webhooks, _) = self.deps.registry.list(space, 0, usize::MAX).await?;
        let sources = self.deps.sources.sources(space).await?;
        Ok(Holdings { webhooks, sources, settings: self.deps.spaces.settings(space).await? })
    }
}

/// What of a space holds secrets.
struct Holdings {
    webhooks: Vec<Webhook>,
    sources: Vec<Source>,
    settings: SpaceSettings,
}

/// Counts.
struct Tally<'c> {
    control: &'c Control,
    sealed: BTreeMap<String, Sealings>,
    damaged: Sealings,
}

impl Tally<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "it is a visit, which may fail")]
    fn count(&mut self, holder: Holder, sealed: &Sealed) -> Result<(), PortError> {
        match self.control.deps.keys.sealed_with(sealed) {
            Some(key) => self.sealed.entry(key.to_owned()).or_default().add(holder, 1),
            None => self.damaged.add(holder, 1),
        }
        Ok(())
    }
}

/// Who rules the instance may know why its ring cannot be used.
fn unreadable(error: &PortError) -> ControlError {
    ControlError::Conflict(error.to_string())
}

/// A secret that a request needs does not open. That its key is missing is for people to know, and to mend.
pub(crate) fn shut(error: PortError) -> ControlError {
    if error.is_transient() { ControlError::Conflict(error.to_string()) } else { error.into() }
}

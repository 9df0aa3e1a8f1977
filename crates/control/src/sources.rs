//! Sources: making, changing and deleting the addresses to which CMSs send their own webhooks.

use std::fmt;

use postrider_dialects::{dialect, source_names};
use postrider_domain::id::{SourceId, SpaceId};
use postrider_domain::source::Source;
use postrider_domain::token::Permission;
use postrider_domain::webhook::Audit;
use postrider_ports::secrets::{Place, SOURCE};

use crate::access::Actor;
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::signing::check_secret;
use crate::webhooks::Secret;
use crate::{Control, names, random_text};

/// A source as asked for.
#[derive(Clone, Default)]
pub struct SourceDraft {
    /// For people, 1 to 256 characters.
    pub name: String,
    /// How its webhooks are read.
    pub dialect: String,
    /// What proves that a webhook is genuine: 16 to 256 visible ASCII characters. Absent: it stays as it is, and is drawn
    /// for a new source.
    pub secret: Option<String>,
}

/// A source just made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSource {
    /// As it stands now.
    pub source: Source,
    /// Its secret, if one was drawn: shown this once.
    pub new_secret: Option<Secret>,
    /// Whether it was made just now.
    pub created: bool,
}

impl fmt::Debug for SourceDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SourceDraft");
        shown.field("name", &self.name).field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl Control {
    /// The sources of a space, by id. Needs `integrations:manage`.
    pub async fn sources(&self, actor: &Actor, space: &SpaceId) -> ControlResult<Vec<Source>> {
        self.enter(actor, space, Permission::IntegrationsManage).await?;
        Ok(self.deps.sources.sources(space).await?)
    }

    /// One source. Needs `integrations:manage`.
    pub async fn source(&self, actor: &Actor, space: &SpaceId, id: &SourceId) -> ControlResult<Source> {
        self.enter(actor, space, Permission::IntegrationsManage).await?;
        self.deps.sources.source(space, id).await?.ok_or_else(|| ControlError::missing("source", id))
    }

    /// Makes a source under a drawn id. Needs `integrations:manage`.
    pub async fn create_source(
        &self,
        actor: &Actor,
        space: &SpaceId,
        draft: SourceDraft,
    ) -> ControlResult<SavedSource> {
        let id = SourceId::new(&random_text::id(&*self.deps.random))
            .map_err(|error| ControlError::Conflict(error.to_string()))?;
        self.put_source(actor, space, &id, draft).await
    }

    /// Replaces a source, or makes it under this id. What a door remembers of the old one counts a few seconds longer.
    /// Needs `integrations:manage`.
    pub async fn put_source(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &SourceId,
        draft: SourceDraft,
    ) -> ControlResult<SavedSource> {
        self.enter(actor, space, Permission::IntegrationsManage).await?;
        check(&draft)?;
        let before = self.deps.sources.source(space, id).await?;
        let most = self.settings.sources_per_space;
        if before.is_none() && self.deps.sources.sources(space).await?.len() >= most {
            return Err(ControlError::full(most, "sources", "limits.sources_per_space"));
        }
        let place = Place { space, owner: id.as_str(), field: SOURCE };
        let seal = |secret: &str| self.deps.secrets.seal(place, secret);
        let (secret, drawn) = match (draft.secret, &before) {
            (Some(given), _) => (seal(&given)?, None),
            (None, Some(before)) => (self.renewed(place, &before.secret)?, None),
            (None, None) => {
                let drawn = random_text::hex_secret(&*self.deps.random);
                (seal(&drawn)?, Some(Secret::new(drawn)))
            }
        };
        let (now, by) = (self.now(), actor.token.to_string());
        let (created_at, created_by) = match &before {
            Some(before) => (before.audit.created_at, before.audit.created_by.clone()),
            None => (now, by.clone()),
        };
        let audit = Audit { created_at, created_by, updated_at: now, updated_by: by };
        let (name, dialect) = (draft.name, draft.dialect);
        let source = Source { id: id.clone(), space: space.clone(), name, dialect, secret, audit };
        self.deps.sources.put_source(&source).await?;
        Ok(SavedSource { source, new_secret: drawn, created: before.is_none() })
    }

    /// Deletes a source; webhooks sent to it are answered 404 from now on, or a few seconds later. Needs
    /// `integrations:manage`.
    pub async fn delete_source(&self, actor: &Actor, space: &SpaceId, id: &SourceId) -> ControlResult<()> {
        self.enter(actor, space, Permission::IntegrationsManage).await?;
        if self.deps.sources.delete_source(space, id).await? {
            Ok(())
        } else {
            Err(ControlError::missing("source", id))
        }
    }
}

fn check(draft: &SourceDraft) -> ControlResult<()> {
    let mut faults = Vec::new();
    names::check(&draft.name, &mut faults);
    if dialect(&draft.dialect).is_none_or(|dialect| dialect.proof().is_none()) {
        let fix = format!("use one of {}", source_names().join(", "));
        let fault = FieldFault::new("dialect", "in", "no webhooks are read in such a dialect", fix);
        faults.push(fault.given(&draft.dialect));
    }
    if let Some(Err(fault)) = draft.secret.as_ref().map(|secret| check_secret(secret, "secret")) {
        faults.push(fault);
    }
    if faults.is_empty() { Ok(()) } else { Err(ControlError::Invalid(faults)) }
}

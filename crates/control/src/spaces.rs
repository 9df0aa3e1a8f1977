//! Spaces and their environments.

use std::collections::BTreeSet;

use postrider_domain::id::{EnvironmentId, SpaceId};
use postrider_domain::token::Permission;
use postrider_ports::access::Space;

use crate::access::Actor;
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::{Control, names};

/// The setting of how many environments a space may have.
const ENVIRONMENTS: &str = "limits.environments_per_space";

/// A space as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpaceDraft {
    /// For people; `None` keeps the name, or takes the id.
    pub name: Option<String>,
    /// `None` keeps them, or takes `master`.
    pub environments: Option<Vec<EnvironmentId>>,
}

impl Control {
    /// One space, for any token that reaches it.
    pub async fn space(&self, actor: &Actor, id: &SpaceId) -> ControlResult<Space> {
        self.look_into(actor, id).await
    }

    /// The spaces that the token reaches, by id.
    pub async fn spaces(&self, actor: &Actor) -> ControlResult<Vec<Space>> {
        let mut spaces = self.deps.spaces.spaces().await?;
        spaces.retain(|space| actor.grant.reaches(&space.id));
        Ok(spaces)
    }

    /// Makes a space, or changes its name or environments. Needs a token of the whole instance with `admin`. `true` when
    /// it was made.
    pub async fn put_space(
        &self,
        actor: &Actor,
        id: &SpaceId,
        draft: SpaceDraft,
    ) -> ControlResult<(Space, bool)> {
        actor.must_rule()?;
        let before = self.deps.spaces.space(id).await?;
        let created = before.is_none();
        let mut space = before.unwrap_or_else(|| Space {
            id: id.clone(),
            name: id.to_string(),
            environments: vec![EnvironmentId::master()],
            created_at: self.now(),
        });
        let mut faults = Vec::new();
        if let Some(name) = draft.name {
            names::check(&name, &mut faults);
            space.name = name;
        }
        if let Some(mut environments) = draft.environments {
            let most = self.settings.environments_per_space;
            if !(1..=most).contains(&environments.len()) {
                let problem = format!("there are {} environments", environments.len());
                let fix = format!("give 1 to {most} (setting {ENVIRONMENTS})");
                faults.push(FieldFault::new("environments", "size", problem, fix));
            }
            let mut seen = BTreeSet::new();
            environments.retain(|one| seen.insert(one.clone()));
            space.environments = environments;
        }
        if !faults.is_empty() {
            return Err(ControlError::Invalid(faults));
        }
        self.deps.spaces.put_space(&space).await?;
        Ok((space, created))
    }

    /// Adds an environment to a space. Needs `admin` in it. `true` when it was not there before.
    pub async fn put_environment(
        &self,
        actor: &Actor,
        id: &SpaceId,
        environment: &EnvironmentId,
    ) -> ControlResult<(Space, bool)> {
        let mut space = self.enter(actor, id, Permission::Admin).await?;
        if space.environments.contains(environment) {
            return Ok((space, false));
        }
        let most = self.settings.environments_per_space;
        if space.environments.len() >= most {
            return Err(ControlError::full(most, "environments", ENVIRONMENTS));
        }
        space.environments.push(environment.clone());
        self.deps.spaces.put_space(&space).await?;
        Ok((space, true))
    }
}

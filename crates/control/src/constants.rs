//! What the CMSs that a space stands for write into every payload: `api_key` of Contentstack, `site_id` of DatoCMS, `project`
//! of Contismo.

use postrider_domain::id::SpaceId;
use postrider_domain::space::SpaceConstants;
use postrider_domain::token::Permission;

use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult, FieldFault};

/// Longest value in characters: those of the CMSs have 2 to 36 (numbers, `blt…`, UUIDs).
pub const LONGEST_CONSTANT: usize = 128;

impl Control {
    /// The constants of a space; what is `None` is the space's id in payloads. Needs `webhooks:list`.
    pub async fn constants(&self, actor: &Actor, space: &SpaceId) -> ControlResult<SpaceConstants> {
        self.enter(actor, space, Permission::WebhooksList).await?;
        Ok(self.settings_of(space).await?.constants)
    }

    /// Replaces the constants of a space, all together: what is not given is the space's id again. They are in every payload
    /// from the next request on, everywhere within a second. Needs `webhooks:update`.
    pub async fn put_constants(
        &self,
        actor: &Actor,
        space: &SpaceId,
        constants: SpaceConstants,
    ) -> ControlResult<SpaceConstants> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        check(&constants)?;
        self.settle(space, |settings| {
            settings.constants = constants.clone();
            Ok(())
        })
        .await?;
        Ok(constants)
    }

    /// Takes the constants away: each is the space's id again. Needs `webhooks:update`.
    pub async fn delete_constants(&self, actor: &Actor, space: &SpaceId) -> ControlResult<()> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        self.settle(space, |settings| {
            settings.constants = SpaceConstants::default();
            Ok(())
        })
        .await
    }
}

fn check(constants: &SpaceConstants) -> ControlResult<()> {
    let SpaceConstants { api_key, site_id, project } = constants;
    let named = [("api_key", api_key), ("site_id", site_id), ("project", project)];
    let given = named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let faults: Vec<FieldFault> = given.filter_map(|(name, value)| fault(name, value)).collect();
    if faults.is_empty() { Ok(()) } else { Err(ControlError::Invalid(faults)) }
}

fn fault(name: &'static str, value: &str) -> Option<FieldFault> {
    let is_long = value.chars().count() > LONGEST_CONSTANT;
    let (kind, problem) = match value {
        _ if value.trim().is_empty() => ("size", "it is empty"),
        _ if is_long => ("size", "it is too long"),
        _ if value.chars().any(char::is_control) => {
            ("format", "it contains a line break or control character")
        }
        _ => return None,
    };
    let fix = format!("give 1 to {LONGEST_CONSTANT} characters on one line");
    Some(FieldFault::new(name, kind, problem, fix).given(value))
}

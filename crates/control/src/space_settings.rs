//! What a space has settled for all its webhooks.

use postrider_domain::id::SpaceId;
use postrider_domain::space::SpaceSettings;

use crate::Control;
use crate::error::ControlResult;

impl Control {
    /// The settings of a space, as its webhooks are called with them.
    pub(crate) async fn settings_of(&self, space: &SpaceId) -> ControlResult<SpaceSettings> {
        Ok(self.deps.spaces.settings(space).await?)
    }
}

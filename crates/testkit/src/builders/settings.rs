//! Settings of spaces.

use postrider_domain::secret::Sealed;
use postrider_domain::space::{SpaceConstants, SpaceSettings, SpaceSigning};

use crate::clock::START;

/// Settings of this version, with a sealed secret, constants, and as many retries as the version says.
pub fn settings(version: u64) -> SpaceSettings {
    SpaceSettings {
        version,
        signing: Some(SpaceSigning {
            secret: Sealed::new(format!("v1.k1.{version}")),
            last_four: "abcd".to_owned(),
            created_at: START,
            created_by: "test".to_owned(),
        }),
        max_retries: u32::try_from(version).ok(),
        constants: SpaceConstants { site_id: Some("Ä 205".to_owned()), ..SpaceConstants::default() },
        ..SpaceSettings::default()
    }
}

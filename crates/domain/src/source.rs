//! A source: an address to which a CMS sends its own webhooks (DESIGN §4.1). What such a webhook leaves in an event is
//! [`crate::event::Source`].

use crate::id::{SourceId, SpaceId};
use crate::secret::Sealed;
use crate::webhook::Audit;

/// A source as set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Whose events come in here.
    pub space: SpaceId,
    /// For people.
    pub name: String,
    /// How its webhooks are read.
    pub dialect: String,
    /// What proves that a webhook is genuine: the CMS signs with it, or sends it as a key.
    pub secret: Sealed,
    /// Who made and who changed it.
    pub audit: Audit,
}

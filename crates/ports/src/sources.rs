//! Where the webhooks of CMSs come in.

use async_trait::async_trait;
use postrider_domain::id::{SourceId, SpaceId};
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;

use crate::error::PortResult;

/// The sources.
#[async_trait]
pub trait Sources: Send + Sync {
    /// One source.
    async fn source(&self, space: &SpaceId, id: &SourceId) -> PortResult<Option<Source>>;

    /// Those of a space, by id.
    async fn sources(&self, space: &SpaceId) -> PortResult<Vec<Source>>;

    /// Makes a source, or replaces it; who made it and when stays as it was first put.
    async fn put_source(&self, source: &Source) -> PortResult<()>;

    /// Puts the same secret, sealed anew, in the place of the sealed text that was read; nothing else changes. `false` when
    /// it is another by now: each sealing gives another text, so the text is its own version.
    async fn reseal_source(
        &self,
        space: &SpaceId,
        id: &SourceId,
        from: &Sealed,
        to: &Sealed,
    ) -> PortResult<bool>;

    /// Deletes it; `false` when there is none of that id.
    async fn delete_source(&self, space: &SpaceId, id: &SourceId) -> PortResult<bool>;
}

//! Who of several processes does the work that only one should do.

use async_trait::async_trait;

use crate::error::PortResult;

/// One process's part in the one term that there is.
///
/// A term ends with the process, or with its connection to whoever keeps the term, and then anybody may take it. A leader
/// whose connection was lost may be in the middle of a step while another leads already, so every step must be harmless
/// when two take it at once; the term only keeps them from doing everything twice.
#[async_trait]
pub trait Leadership: Send + Sync {
    /// Takes the term if it is free, keeps it if it is ours; `false` while another process has it. Cheap: ask before
    /// each step, and every few seconds between them, since a term that its holder does not ask about is lost. An error
    /// means that nobody knows: then do not lead.
    async fn hold(&self) -> PortResult<bool>;
}

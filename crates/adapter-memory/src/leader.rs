//! The term of a system that is one process.

use async_trait::async_trait;
use postrider_ports::error::PortResult;
use postrider_ports::leader::Leadership;

/// Leads, because there is nobody else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

#[async_trait]
impl Leadership for Alone {
    async fn hold(&self) -> PortResult<bool> {
        Ok(true)
    }
}

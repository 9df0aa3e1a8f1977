//! Contentstack, in and out.

/// The name webhooks and sources choose it by.
pub const NAME: &str = "contentstack";

//! In which order webhooks are listed.

use std::cmp::Ordering;

use postrider_domain::webhook::Webhook;

/// One thing to order by, and which way. Several are asked in turn; what they leave equal stays newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// What is compared.
    pub by: SortBy,
    /// Largest first.
    pub descending: bool,
}

/// What webhooks are ordered by. Texts are compared byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// The id.
    Id,
    /// The name.
    Name,
    /// The URL.
    Url,
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
}

/// Puts the webhooks in this order.
pub(super) fn sort(webhooks: &mut [Webhook], keys: &[SortKey]) {
    webhooks.sort_by(|one, other| {
        keys.iter().fold(Ordering::Equal, |so_far, key| so_far.then_with(|| key.compare(one, other)))
    });
}

impl SortKey {
    fn compare(self, one: &Webhook, other: &Webhook) -> Ordering {
        let ascending = match self.by {
            SortBy::Id => one.id.as_str().cmp(other.id.as_str()),
            SortBy::Name => one.name.cmp(&other.name),
            SortBy::Url => url(one).cmp(url(other)),
            SortBy::CreatedAt => one.audit.created_at.cmp(&other.audit.created_at),
            SortBy::UpdatedAt => one.audit.updated_at.cmp(&other.audit.updated_at),
        };
        if self.descending { ascending.reverse() } else { ascending }
    }
}

fn url(webhook: &Webhook) -> &str {
    webhook.action.http().map_or("", |target| &target.url)
}

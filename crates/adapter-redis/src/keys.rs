//! The names of all keys. Each says its space in braces, so that on a Redis cluster what belongs together lies in one
//! slot (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>).

use postrider_domain::delivery::DeliveryId;
use postrider_domain::id::{EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;

/// When the memory of ids began: until when unknown ids are suspects, in Unix milliseconds. `*` is the whole deployment.
pub(crate) const EPOCH: &str = "postrider:{*}:epoch";
/// Version, era and bounds of the list of changes, and the last change of each space. The 2 in the names of the list and of
/// a space's hash: releases that know no settings would extend the list without them, so they have a list of their own.
pub(crate) const CHANGES_STATE: &str = "postrider:{*}:changes2:state";
/// `space/webhook` by the version of its last change, and `space/#settings`.
pub(crate) const CHANGES: &str = "postrider:{*}:changes2";
/// The form of each changed webhook, empty for a deleted one, and of changed settings.
pub(crate) const CHANGED_FORMS: &str = "postrider:{*}:changes2:forms";
/// What stands for the settings of a space where a webhook's id would stand; no id contains `#`.
pub(crate) const SETTINGS: &str = "#settings";
/// Where a change of webhooks is hinted.
pub(crate) const HINTS: &str = "postrider:{*}:changed";

/// A claim on an event id.
pub(crate) fn claim(space: &SpaceId, event: &EventId) -> String {
    format!("postrider:{{{space}}}:claim:{event}")
}

/// A mark. The port names no space; the id is derived from it.
pub(crate) fn mark(delivery: &DeliveryId) -> String {
    format!("postrider:{{{delivery}}}:mark")
}

/// A token bucket.
pub(crate) fn bucket(space: &SpaceId, webhook: &WebhookId) -> String {
    format!("postrider:{{{space}}}:bucket:{webhook}")
}

/// The workers that share a token bucket.
pub(crate) fn sharers(space: &SpaceId, webhook: &WebhookId) -> String {
    format!("postrider:{{{space}}}:sharers:{webhook}")
}

/// A circuit breaker.
pub(crate) fn breaker(space: &SpaceId, webhook: &WebhookId) -> String {
    format!("postrider:{{{space}}}:breaker:{webhook}")
}

/// The current window of an owner, which begins with its space.
pub(crate) fn window(owner: &str) -> String {
    format!("postrider:{{{}}}:window:{owner}", space_of(owner))
}

/// What one window has gathered.
pub(crate) fn gathered(owner: &str, ends_at: Timestamp) -> String {
    format!("postrider:{{{}}}:gathered:{}:{owner}", space_of(owner), ends_at.unix_ms())
}

/// The webhooks and the settings of a space.
pub(crate) fn webhooks(space: &SpaceId) -> String {
    format!("postrider:{{{space}}}:webhooks2")
}

/// An owner's parts are joined by `/`, the space first.
fn space_of(owner: &str) -> &str {
    owner.split('/').next().unwrap_or(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_space_lies_in_its_slot() {
        let space = SpaceId::new("s-1").expect("a space");
        let webhook = WebhookId::new("w.1").expect("a webhook");
        let event = EventId::new("e:1").expect("an event");
        let at = Timestamp::from_unix_ms(7);
        for (key, expected) in [
            (claim(&space, &event), "postrider:{s-1}:claim:e:1"),
            (bucket(&space, &webhook), "postrider:{s-1}:bucket:w.1"),
            (sharers(&space, &webhook), "postrider:{s-1}:sharers:w.1"),
            (breaker(&space, &webhook), "postrider:{s-1}:breaker:w.1"),
            (window("s-1/master/w.1/Entry/{odd}"), "postrider:{s-1}:window:s-1/master/w.1/Entry/{odd}"),
            (gathered("s-1/master/w.1", at), "postrider:{s-1}:gathered:7:s-1/master/w.1"),
            (webhooks(&space), "postrider:{s-1}:webhooks2"),
        ] {
            assert_eq!(key, expected);
        }
    }
}

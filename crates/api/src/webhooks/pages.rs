//! A part of the webhooks of a space, newest first, and where it goes on.
//!
//! A cursor is where the last webhook shown stood, when it was made, and its id. As a rule it still stands there, and the next
//! part is read from there; if others came or went, it is looked for among all, of which there are at most 10,000.

use postrider_control::{Actor, Control};
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::webhook::Webhook;

use crate::error::{ApiError, ApiResult};

/// The last webhook that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct After {
    /// How many came before it.
    place: usize,
    made_at_ms: i64,
    id: WebhookId,
}

impl After {
    fn write(webhook: &Webhook, place: usize) -> String {
        format!("{place}.{}.{}", webhook.audit.created_at.unix_ms(), webhook.id)
    }

    pub(super) fn read(text: &str) -> ApiResult<Self> {
        let read = || {
            let (place, rest) = text.split_once('.')?;
            let (made_at_ms, id) = rest.split_once('.')?;
            // Without a sign, so that what is added to it stays within bounds.
            let place = place.parse::<u32>().ok()?;
            let id = WebhookId::new(id).ok()?;
            Some(Self { place: usize::try_from(place).ok()?, made_at_ms: made_at_ms.parse().ok()?, id })
        };
        let fix = "hand back what `pages.next` gave, unchanged";
        read().ok_or_else(|| ApiError::bad_query("cursor", "it is no cursor of this list", fix))
    }
}

/// A part of a list.
pub(super) struct Part {
    pub(super) webhooks: Vec<Webhook>,
    pub(super) total: usize,
    pub(super) next: Option<String>,
}

/// The newest after `skip`.
pub(super) fn part(webhooks: Vec<Webhook>, total: usize, skip: usize) -> Part {
    let end = skip + webhooks.len();
    let next = webhooks.last().filter(|_| end < total).map(|last| After::write(last, end - 1));
    Part { webhooks, total, next }
}

/// What comes after the cursor.
pub(super) async fn after(
    control: &Control,
    actor: &Actor,
    space: &SpaceId,
    (after, limit): (After, usize),
) -> ApiResult<Part> {
    // The last one shown comes along, to see whether it still stands there.
    let (mut near, total) = control.webhooks(actor, space, &[], (after.place, limit + 1)).await?;
    if near.first().is_some_and(|first| first.id == after.id) {
        near.remove(0);
        return Ok(part(near, total, after.place + 1));
    }
    let (all, total) = control.webhooks(actor, space, &[], (0, usize::MAX)).await?;
    let skip = match all.iter().position(|webhook| webhook.id == after.id) {
        Some(place) => place + 1,
        // It was deleted: on with those that are not newer than it was.
        None => all.iter().take_while(|one| one.audit.created_at.unix_ms() > after.made_at_ms).count(),
    };
    Ok(part(all.into_iter().skip(skip).take(limit).collect(), total, skip))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_is_read_and_nonsense_is_refused() {
        let read = After::read("99.1767268800123.a.b").expect("a cursor");
        let id = WebhookId::new("a.b").expect("an id");
        assert_eq!(read, After { place: 99, made_at_ms: 1_767_268_800_123, id });
        for bad in ["", "1", "1.2", "1.2.", "-1.2.a", "99999999999999999999.2.a", "1.2.ä"] {
            assert!(After::read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = After::read(&text);
        }
    }
}

//! Which webhooks of a space want an event, and why the others do not.

use std::sync::Arc;

use postrider_dialects::matching::{Changed, decide_all_but_content, judge_changes};
use postrider_domain::event::{Carriage, Carried};
use postrider_domain::matching::{Verdict, decide, needs_content};
use postrider_domain::record::{Decision, LISTED_MISSES};
use postrider_ports::bodies::Bodies;
use postrider_ports::error::PortResult;

use crate::index::{Known, SpaceIndex};

/// What became of one event.
pub(crate) struct Matched {
    /// The webhooks that want it, with the rule that decided.
    pub(crate) wanted: Vec<(Arc<Known>, Verdict)>,
    /// Webhooks that do not, up to [`LISTED_MISSES`]: first those that came near, then the others, by id.
    pub(crate) misses: Vec<Decision>,
    /// Those that are not listed.
    pub(crate) unlisted: u32,
}

/// Decides for every webhook of the space. The content is fetched only if a webhook that matches otherwise asks for it; an
/// error is the body store's.
pub(crate) async fn match_event(
    index: &SpaceIndex,
    event: &Carried,
    bodies: &dyn Bodies,
) -> PortResult<Matched> {
    let head = event.head.as_ref();
    let all = index.all();
    let candidates = index.candidates(head);
    let (mut wanted, mut misses) = (Vec::new(), Vec::new());
    let mut changed = None;
    for at in &candidates {
        let known = &all[*at];
        let mut verdict = decide_all_but_content(&known.webhook, known.dialect, head);
        if verdict.matched && needs_content(&known.webhook) {
            let changed = match &mut changed {
                Some(changed) => changed,
                none => none.insert(read_changes(event, bodies).await?),
            };
            verdict = judge_changes(verdict, &known.webhook, head, changed);
        }
        if verdict.matched {
            wanted.push((Arc::clone(known), verdict));
        } else if misses.len() < LISTED_MISSES {
            misses.push(miss(known, verdict));
        }
    }
    let mut near = candidates.iter().copied().peekable();
    for (at, known) in all.iter().enumerate() {
        if misses.len() >= LISTED_MISSES {
            break;
        }
        if near.next_if_eq(&at).is_none() {
            misses.push(miss(known, decide(&known.webhook, head)));
        }
    }
    let left_out = all.len() - wanted.len() - misses.len();
    Ok(Matched { wanted, misses, unlisted: u32::try_from(left_out).unwrap_or(u32::MAX) })
}

async fn read_changes(event: &Carried, bodies: &dyn Bodies) -> PortResult<Changed> {
    Ok(match &event.content {
        Carriage::Inline(content) => Changed::new(content),
        Carriage::Stored(body) => Changed::new(&bodies.get(body).await?),
    })
}

fn miss(known: &Known, verdict: Verdict) -> Decision {
    Decision { webhook: known.webhook.id.clone(), verdict, due_at: None }
}

//! Which webhooks of a space want an event, and why the others do not.

use std::sync::Arc;

use postrider_domain::event::{Carriage, Carried, EventHead};
use postrider_domain::matching::{Rule, Verdict, decide, needs_content};
use postrider_domain::record::{Decision, LISTED_MISSES};
use postrider_ports::bodies::Bodies;
use postrider_ports::error::PortResult;

use crate::changed::Changed;
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
        let mut verdict = decide_all_but_content(known, head);
        if verdict.matched && needs_content(&known.webhook) {
            if changed.is_none() {
                changed = Some(read_changes(event, bodies).await?);
            }
            verdict = judge_changes(verdict, known, changed.as_ref());
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

fn decide_all_but_content(known: &Known, head: &EventHead) -> Verdict {
    let verdict = decide(&known.webhook, head);
    match known.dialect {
        // An unknown dialect is a fault of the webhook that its owner sees in the call record.
        Some(dialect) if verdict.matched => match dialect.expressible(head) {
            Ok(()) => verdict,
            Err(reason) => Verdict::no(Rule::NotExpressible, reason),
        },
        _ => verdict,
    }
}

fn judge_changes(verdict: Verdict, known: &Known, changed: Option<&Changed>) -> Verdict {
    let fields = &known.webhook.wants.changed_fields;
    match changed.and_then(|changed| changed.first(fields)) {
        Some(_) => verdict,
        None => Verdict::no(Rule::ChangedFields, format!("none of {} changed", fields.join(", "))),
    }
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

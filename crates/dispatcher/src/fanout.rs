//! From an event and who wants it to messages: bundles of up to 16 webhooks, and one message of its own for each delivery
//! that waits for the end of a window (DESIGN §4.2, §4.4).

use std::sync::Arc;

use postrider_domain::coalesce::{CoalesceRule, Rank, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::event::Carried;
use postrider_domain::id::WebhookId;
use postrider_domain::matching::Verdict;
use postrider_domain::message::{BUNDLE_LIMIT, DeliverMessage, Lane, Target, TraceContext};
use postrider_domain::record::{Decision, LISTED_MATCHES, MatchRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::queue::Outgoing;
use postrider_ports::windows::{CoalescedEvent, Entry, Opening};

use crate::matching::Matched;

/// One event on its way out.
pub(crate) struct Fanout {
    event: Carried,
    suspect: bool,
    trace: TraceContext,
    at_once: Vec<(WebhookId, Verdict)>,
    coalesced: Vec<Coalesced>,
    misses: Vec<Decision>,
    unlisted: u32,
}

/// A delivery that waits for a window.
struct Coalesced {
    webhook: WebhookId,
    verdict: Verdict,
    rule: CoalesceRule,
    key: String,
    ends_at: Timestamp,
}

impl Fanout {
    /// Sorts out who is called at once and who at the end of a window. Until the windows were joined, each delivery has one
    /// of its own.
    pub(crate) fn new(event: Carried, matched: Matched, suspect: bool, trace: TraceContext) -> Self {
        let Matched { wanted, misses, unlisted } = matched;
        let (mut at_once, mut coalesced) = (Vec::new(), Vec::new());
        let head = Arc::clone(&event.head);
        for (known, verdict) in wanted {
            let webhook = known.webhook.id.clone();
            let rule: Option<CoalesceRule> = known.webhook.coalesce.rule_for(&head);
            match rule {
                None => at_once.push((webhook, verdict)),
                Some(rule) => coalesced.push(Coalesced {
                    rule,
                    key: rule.key_for(&webhook, &head),
                    ends_at: head.accepted_at.plus(rule.window),
                    webhook,
                    verdict,
                }),
            }
        }
        Self { event, suspect, trace, at_once, coalesced, misses, unlisted }
    }

    /// The trace it belongs to.
    pub(crate) fn trace(&self) -> &TraceContext {
        &self.trace
    }

    /// The windows to be joined, in the order in which [`Self::joined`] takes their ends.
    pub(crate) fn openings(&self) -> impl Iterator<Item = Opening> {
        let at = self.event.head.accepted_at;
        self.coalesced.iter().map(move |one| Opening { key: one.key.clone(), at, ends_at: one.ends_at })
    }

    /// Notes when the windows end; takes as many as there are openings.
    pub(crate) fn joined(&mut self, ends: &mut impl Iterator<Item = Timestamp>) {
        for (one, ends_at) in self.coalesced.iter_mut().zip(ends) {
            one.ends_at = ends_at;
        }
    }

    /// How many webhooks want it.
    pub(crate) fn wanted(&self) -> usize {
        self.at_once.len() + self.coalesced.len()
    }

    /// The messages that nobody else's shall come before: those to the first `bulk_after` webhooks, and what waits for a
    /// window.
    pub(crate) fn near_end(&self, bulk_after: usize) -> impl Iterator<Item = Outgoing<DeliverMessage>> {
        let near = &self.at_once[..bulk_after.min(self.at_once.len())];
        let coalesced = self.coalesced.iter().map(|one| {
            let target = first_attempt(&one.webhook, Some(self.window(one)));
            self.message(Lane::Late, vec![target], Some(one.ends_at))
        });
        self.bundles(Lane::Fresh, near).chain(coalesced)
    }

    /// Those to the webhooks beyond, through the lane `bulk`: made as they are asked for, because they may be many.
    pub(crate) fn far_end(&self, bulk_after: usize) -> impl Iterator<Item = Outgoing<DeliverMessage>> {
        self.bundles(Lane::Bulk, self.at_once.get(bulk_after..).unwrap_or_default())
    }

    /// Whether it has a far end.
    pub(crate) fn has_far_end(&self, bulk_after: usize) -> bool {
        self.at_once.len() > bulk_after
    }

    fn bundles<'f>(
        &'f self,
        lane: Lane,
        webhooks: &'f [(WebhookId, Verdict)],
    ) -> impl Iterator<Item = Outgoing<DeliverMessage>> + 'f {
        webhooks.chunks(BUNDLE_LIMIT).map(move |bundle| {
            let targets = bundle.iter().map(|(webhook, _)| first_attempt(webhook, None)).collect();
            self.message(lane, targets, None)
        })
    }

    /// What the windows are told once the messages are confirmed.
    pub(crate) fn registrations(&self) -> impl Iterator<Item = Entry> {
        let head = &self.event.head;
        self.coalesced.iter().map(|one| Entry {
            window: self.window(one),
            delivery: DeliveryId::derive(&head.scope, &head.id, &one.webhook, 0),
            event: CoalescedEvent::of(head),
        })
    }

    /// What the log is told once the messages are confirmed; in parts, so that no message grows with the fan-out.
    pub(crate) fn records(self, at: Timestamp) -> Vec<MatchRecord> {
        let at_once = self.at_once.into_iter().map(|(webhook, verdict)| (webhook, verdict, None));
        let coalesced = self.coalesced.into_iter().map(|one| {
            let verdict = one.verdict.coalesced(one.rule);
            (one.webhook, verdict, Some(one.ends_at))
        });
        let wanted = at_once.chain(coalesced);
        let mut wanted = wanted.map(|(webhook, verdict, due_at)| Decision { webhook, verdict, due_at });
        let mut first: Vec<Decision> = wanted.by_ref().take(LISTED_MATCHES).collect();
        first.extend(self.misses);
        let mut records =
            vec![MatchRecord { event: self.event, decisions: first, unlisted: self.unlisted, part: 0, at }];
        for part in 1.. {
            let decisions: Vec<Decision> = wanted.by_ref().take(LISTED_MATCHES).collect();
            if decisions.is_empty() {
                break;
            }
            let event = records[0].event.clone();
            records.push(MatchRecord { event, decisions, unlisted: 0, part, at });
        }
        records
    }

    fn window(&self, one: &Coalesced) -> Window {
        Window { key: one.key.clone(), ends_at: one.ends_at, rank: Rank::of(&self.event.head) }
    }

    fn message(
        &self,
        lane: Lane,
        targets: Vec<Target>,
        not_before: Option<Timestamp>,
    ) -> Outgoing<DeliverMessage> {
        Outgoing {
            message: DeliverMessage { event: self.event.clone(), lane, targets },
            suspect: self.suspect,
            not_before,
            trace: self.trace.clone(),
        }
    }
}

fn first_attempt(webhook: &WebhookId, window: Option<Window>) -> Target {
    Target { webhook: webhook.clone(), generation: 0, attempt: 1, window, coalesced: None }
}

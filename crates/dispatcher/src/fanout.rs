//! From an event and who wants it to messages: bundles of up to 16 webhooks, and one message of its own for each delivery
//! that waits for the end of a window (DESIGN §4.2, §4.4).

use std::sync::Arc;

use postrider_domain::coalesce::{CoalesceRule, Rank, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::event::Carried;
use postrider_domain::id::WebhookId;
use postrider_domain::matching::Verdict;
use postrider_domain::message::{BUNDLE_LIMIT, DeliverMessage, Lane, Target, TraceContext};
use postrider_domain::record::{Decision, MatchRecord};
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

    /// The messages. Webhooks beyond the first `bulk_after` go through the lane `bulk`.
    pub(crate) fn messages(&self, bulk_after: usize) -> Vec<Outgoing<DeliverMessage>> {
        let first_bulk = bulk_after.min(self.at_once.len());
        let (fresh, bulk) = self.at_once.split_at(first_bulk);
        let bundles = |lane, webhooks: &[(WebhookId, Verdict)]| {
            let bundle = |bundle: &[(WebhookId, Verdict)]| {
                let targets = bundle.iter().map(|(webhook, _)| first_attempt(webhook, None)).collect();
                self.message(lane, targets, None)
            };
            webhooks.chunks(BUNDLE_LIMIT).map(bundle).collect::<Vec<_>>()
        };
        let mut messages = bundles(Lane::Fresh, fresh);
        messages.extend(bundles(Lane::Bulk, bulk));
        messages.extend(self.coalesced.iter().map(|one| {
            let target = first_attempt(&one.webhook, Some(self.window(one)));
            self.message(Lane::Late, vec![target], Some(one.ends_at))
        }));
        messages
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

    /// What the log is told once the messages are confirmed.
    pub(crate) fn record(self, at: Timestamp) -> MatchRecord {
        let at_once = self.at_once.into_iter().map(|(webhook, verdict)| (webhook, verdict, None));
        let coalesced = self.coalesced.into_iter().map(|one| {
            let verdict = one.verdict.coalesced(one.rule);
            (one.webhook, verdict, Some(one.ends_at))
        });
        let wanted = at_once.chain(coalesced);
        let wanted = wanted.map(|(webhook, verdict, due_at)| Decision { webhook, verdict, due_at });
        let decisions = wanted.chain(self.misses).collect();
        MatchRecord { event: self.event, decisions, unlisted: self.unlisted, at }
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

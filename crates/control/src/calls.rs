//! What was called and what came of it: calls, deliveries, health, balance.

use std::time::Duration;

use postrider_dialects::slack;
use postrider_domain::call::CallRecord;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::diagnosis::{self, Diagnosis};
use postrider_domain::id::{CallId, SpaceId, WebhookId};
use postrider_domain::message::Queue;
use postrider_domain::outcome::FailureKind;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::Permission;
use postrider_ports::log::{Cursor, DeliveryRow, LogQuery, Page};
use postrider_ports::queue::Depth;
use uuid::Uuid;

use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult};
use crate::pacing::LONGEST_TIMEOUT;

/// Most calls in one answer. Each may carry 500 kB of request and 200 kB of response: 70 MB at the very worst.
pub const MOST_CALLS: usize = 100;
/// Most deliveries in one answer; they are small.
pub const MOST_DELIVERIES: usize = 1_000;
/// Longest a tail waits for something new in one request: below the 30 s after which proxies give up.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// A tail shows a call this long after it ended, so that records which overtook each other on their way to the log are
/// in order again.
const SETTLE: Duration = Duration::from_secs(1);
/// How often a waiting tail looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A call that ended just now began at most this long ago: the longest time-out, and 5 s for a clock that was set.
const LONGEST_CALL: Duration = LONGEST_TIMEOUT.saturating_add(Duration::from_secs(5));
/// A tail reads at most this many pages of the log for one look: 1,000 calls in 35 s are more than anybody reads.
const TAIL_PAGES: usize = 10;

/// Where a tail stands: everything that ended before this call, and the call itself, has been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TailCursor {
    /// When the call ended.
    pub at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// What a tail brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// The calls that ended since, oldest first.
    pub calls: Vec<CallRecord>,
    /// Where to go on.
    pub newer: TailCursor,
    /// There were so many that some may be missing; the list has them all.
    pub skipped: bool,
}

/// What a failed call means for people; `None` when it succeeded.
pub fn diagnose(call: &CallRecord) -> Option<Diagnosis> {
    let slack = call.failure.as_ref().filter(|failure| failure.kind == FailureKind::Slack);
    let fault = slack.and(call.response.as_ref()).and_then(slack::fault);
    fault.map_or_else(
        || diagnosis::diagnose(call),
        |fault| {
            let cause = format!("{}: {}", fault.code, fault.cause);
            Some(Diagnosis { cause, next_step: fault.next_step.into() })
        },
    )
}

/// How a webhook has been doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Calls in the log: the newest 10,000 are counted.
    pub total: usize,
    /// Those of them that succeeded.
    pub healthy: usize,
}

/// The balance of DESIGN §2: where every delivery of the log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Deliveries of generation 0 in each state.
    pub states: Vec<(DeliveryState, u64)>,
    /// What waits in the queues of the whole instance; only for tokens of the whole instance.
    pub queues: Option<Vec<(Queue, Depth)>>,
}

impl TailCursor {
    fn of(call: &CallRecord) -> Self {
        Self { at: call.started_at.plus(call.timings.total), id: call.id.0 }
    }
}

impl Control {
    /// Calls, newest first; at most [`MOST_CALLS`]. Needs `calls:read`.
    pub async fn calls(
        &self,
        actor: &Actor,
        space: &SpaceId,
        query: LogQuery,
    ) -> ControlResult<Page<CallRecord>> {
        self.enter(actor, space, Permission::CallsRead).await?;
        Ok(self.deps.log.calls(space, &LogQuery { limit: query.limit.clamp(1, MOST_CALLS), ..query }).await?)
    }

    /// Calls of one webhook, newest first. Those of a deleted webhook are there as long as the log keeps them. Needs
    /// `calls:read`.
    pub async fn calls_of_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        webhook: &WebhookId,
        (skip, limit): (usize, usize),
    ) -> ControlResult<Page<CallRecord>> {
        let query = LogQuery { webhook: Some(webhook.clone()), skip, limit, ..LogQuery::default() };
        let page = self.calls(actor, space, query).await?;
        if page.total == 0 && !page.at_least {
            self.existing(space, webhook).await?;
        }
        Ok(page)
    }

    /// One call. Needs `calls:read`.
    pub async fn call(&self, actor: &Actor, space: &SpaceId, id: CallId) -> ControlResult<CallRecord> {
        self.enter(actor, space, Permission::CallsRead).await?;
        self.deps.log.call(space, id).await?.ok_or_else(|| ControlError::missing("call", id))
    }

    /// Where a tail begins that shows only what ends from now on.
    pub fn tail_from_now(&self) -> TailCursor {
        TailCursor { at: self.now().minus(SETTLE), id: Uuid::max() }
    }

    /// Where a tail goes on after a page of calls was listed.
    pub fn tail_after(&self, listed: &[CallRecord]) -> TailCursor {
        listed
            .iter()
            .map(TailCursor::of)
            .max()
            .map_or_else(|| self.tail_from_now(), |last| last.max(self.tail_from_now()))
    }

    /// The calls that ended after the cursor, as soon as there is one, at most after `wait`. Needs `calls:read`.
    pub async fn tail(
        &self,
        actor: &Actor,
        space: &SpaceId,
        query: &LogQuery,
        after: TailCursor,
        wait: Duration,
    ) -> ControlResult<Tail> {
        self.enter(actor, space, Permission::CallsRead).await?;
        let deadline = self.now().plus(wait.min(LONGEST_WAIT));
        loop {
            let tail = self.look_for_newer(space, query, after).await?;
            let now = self.now();
            if !tail.calls.is_empty() || now >= deadline {
                return Ok(tail);
            }
            self.deps.clock.sleep_until(deadline.min(now.plus(LOOK_EVERY))).await;
        }
    }

    async fn look_for_newer(
        &self,
        space: &SpaceId,
        query: &LogQuery,
        after: TailCursor,
    ) -> ControlResult<Tail> {
        let window = after.at.minus(LONGEST_CALL);
        let settled = self.now().minus(SETTLE);
        let from = Some(query.from.map_or(window, |from| from.max(window)));
        let mut query = LogQuery { from, cursor: None, skip: 0, limit: MOST_CALLS, ..query.clone() };
        let mut found = Vec::new();
        let mut skipped = true;
        for _ in 0..TAIL_PAGES {
            let page = self.deps.log.calls(space, &query).await?;
            found.extend(page.items.into_iter().map(|call| (TailCursor::of(&call), call)));
            found.retain(|(cursor, _)| *cursor > after && cursor.at <= settled);
            // Only what can be shown is kept: calls carry their bodies. The rest is found again from the next cursor.
            found.sort_by_key(|(cursor, _)| *cursor);
            found.truncate(MOST_CALLS);
            query.cursor = page.next;
            if query.cursor.is_none() {
                skipped = false;
                break;
            }
        }
        let newer = found.last().map_or(after, |(cursor, _)| *cursor);
        Ok(Tail { calls: found.into_iter().map(|(_, call)| call).collect(), newer, skipped })
    }

    /// Deliveries, in the order that is asked for; at most [`MOST_DELIVERIES`]. Needs `calls:read`.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        space: &SpaceId,
        query: LogQuery,
    ) -> ControlResult<Page<DeliveryRow>> {
        self.enter(actor, space, Permission::CallsRead).await?;
        let query = LogQuery { limit: query.limit.clamp(1, MOST_DELIVERIES), ..query };
        Ok(self.deps.log.deliveries(space, &query).await?)
    }

    /// How many calls of a webhook there were and how many succeeded. Needs `calls:read`.
    pub async fn health(&self, actor: &Actor, space: &SpaceId, webhook: &WebhookId) -> ControlResult<Health> {
        self.enter(actor, space, Permission::CallsRead).await?;
        self.existing(space, webhook).await?;
        let all = LogQuery { webhook: Some(webhook.clone()), limit: 1, ..LogQuery::default() };
        let healthy = LogQuery { state: Some(DeliveryState::Delivered), ..all.clone() };
        Ok(Health {
            total: self.deps.log.calls(space, &all).await?.total,
            healthy: self.deps.log.calls(space, &healthy).await?.total,
        })
    }

    /// Where every delivery of a space stands. Needs `calls:read`.
    pub async fn balance(&self, actor: &Actor, space: &SpaceId) -> ControlResult<Balance> {
        self.enter(actor, space, Permission::CallsRead).await?;
        let counted = self.deps.log.balance(Some(space)).await?;
        let count = |state| counted.iter().filter(|(one, _)| *one == state).map(|(_, count)| count).sum();
        let states = DeliveryState::ALL.into_iter().map(|state| (state, count(state))).collect();
        let queues = if actor.grant.space.is_none() { Some(self.queue_depths().await?) } else { None };
        Ok(Balance { states, queues })
    }

    async fn queue_depths(&self) -> ControlResult<Vec<(Queue, Depth)>> {
        let mut depths = Vec::with_capacity(Queue::ALL.len());
        for queue in Queue::ALL {
            depths.push((queue, self.deps.depths.depth(queue).await?));
        }
        Ok(depths)
    }
}

impl From<Cursor> for TailCursor {
    fn from(cursor: Cursor) -> Self {
        Self { at: cursor.at, id: cursor.id }
    }
}

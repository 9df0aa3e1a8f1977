//! The count after a story: every accepted event is in exactly one state for each webhook, the receiver saw it, and was
//! called again only about what was in hand when something was lost.

use std::collections::BTreeMap;

use crate::ledger::Ledger;
use crate::load::Published;
use crate::report::Found;
use crate::stage::{Stage, WEBHOOKS};
use crate::system::Balance;

/// The states of DESIGN §2, as the API names them.
const STATES: [&str; 7] =
    ["delivered", "given_up", "superseded", "skipped", "cancelled", "parked", "pending"];
/// Records that a dispatcher may have gathered but not yet sent when it dies: a message of records closes at 50 (DESIGN
/// §4.2).
const OPEN_RECORDS: usize = 50;

impl Stage {
    /// Ends the load, waits until nothing is pending, counts, writes the result, and fails if it is not as promised. The
    /// last act of most stories.
    pub(crate) async fn audit(mut self) {
        let (published, series) = self.unload().await;
        let found = self.count(published).await;
        found.write(self.story, &series);
        found.judge();
        self.end().await;
    }

    /// Waits until nothing is pending, and counts.
    pub(crate) async fn count(&mut self, published: Published) -> Found {
        let deliveries = published.ids.len() * WEBHOOKS;
        self.target.until_known(deliveries).await;
        let total = deliveries as u64;
        let ended = |balance: &Balance| balance.total() >= total && balance.of("pending") == 0;
        let balance = self.system.until("nothing is pending", ended).await;
        let states: BTreeMap<String, u64> =
            STATES.iter().map(|state| ((*state).to_owned(), balance.of(state))).collect();
        let seen = self.target.by_event();
        let paths: Vec<String> = (0..WEBHOOKS).map(|number| format!("/{number}")).collect();
        let is_unseen =
            |id: &&String| paths.iter().any(|path| !seen.contains_key(&(path.clone(), (*id).clone())));
        let unseen = published.ids.iter().filter(is_unseen).count();
        let records = Ledger::of_records(&self.system, &self.webhooks).await;
        let calls = self.seen.take();
        let losses = std::mem::take(&mut self.losses);
        let explained = losses.iter().map(|loss| loss.deliveries).sum::<usize>()
            + if losses.is_empty() { 0 } else { OPEN_RECORDS };
        Found {
            accepted: published.ids.len(),
            deliveries,
            repeats: published.repeats,
            difference: i64::try_from(total).expect("small") - i64::try_from(balance.total()).expect("small"),
            states,
            unseen,
            calls: calls.calls(),
            invented: records.beyond(&calls).len(),
            again: calls.repeated(),
            explained,
            losses,
            recoveries: std::mem::take(&mut self.recoveries),
            recovery_bound: self.recovery_bound,
            also: std::mem::take(&mut self.also),
        }
    }
}

impl Found {
    /// Fails if something was lost, invented, done too often, or took too long.
    pub(crate) fn judge(&self) {
        let counted: u64 = self.states.values().sum();
        assert_eq!(counted, self.deliveries as u64, "a state is not counted: {self:?}");
        assert_eq!(self.difference, 0, "{self:?}");
        assert_eq!(self.unseen, 0, "deliveries that the receiver never saw: {self:?}");
        assert_eq!(
            self.states["delivered"], self.deliveries as u64,
            "a receiver that answers in the end gets all"
        );
        assert_eq!(self.invented, 0, "records of calls that nobody saw: {self:?}");
        assert!(self.again <= self.explained, "called again more often than explained: {self:?}");
        let late = self.recoveries.iter().find(|one| **one > self.recovery_bound);
        assert_eq!(late, None, "it took too long to recover: {self:?}");
    }
}

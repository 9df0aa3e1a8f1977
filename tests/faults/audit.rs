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
    /// Fails if something was lost, invented, done too often, or took too long; with all that is wrong.
    pub(crate) fn judge(&self) {
        let faults = self.faults();
        assert!(faults.is_empty(), "{}\n{self:?}", faults.join("\n"));
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must = |kept: bool, fault: String| {
            if !kept {
                faults.push(fault);
            }
        };
        let counted: u64 = self.states.values().sum();
        let delivered = self.states.get("delivered").copied().unwrap_or_default();
        must(self.difference == 0, format!("the difference is {}", self.difference));
        must(counted == self.deliveries as u64, format!("{counted} of {} are in a state", self.deliveries));
        // The receiver answers in the end.
        must(
            delivered == self.deliveries as u64,
            format!("{delivered} of {} are delivered", self.deliveries),
        );
        must(self.unseen == 0, format!("{} events never reached the receiver everywhere", self.unseen));
        must(self.invented == 0, format!("{} calls on record that nobody saw", self.invented));
        must(
            self.again <= self.explained,
            format!("{} calls again, {} explained", self.again, self.explained),
        );
        for took in self.recoveries.iter().filter(|took| **took > self.recovery_bound) {
            must(false, format!("recovered after {took:?}, the bound is {:?}", self.recovery_bound));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn good() -> Found {
        Found {
            accepted: 5,
            deliveries: 10,
            repeats: 0,
            states: BTreeMap::from([("delivered".to_owned(), 10), ("pending".to_owned(), 0)]),
            difference: 0,
            unseen: 0,
            calls: 12,
            invented: 0,
            again: 2,
            explained: 2,
            losses: Vec::new(),
            recoveries: vec![Duration::from_secs(1)],
            recovery_bound: Duration::from_secs(2),
            also: BTreeMap::new(),
        }
    }

    #[test]
    fn whatever_is_not_as_promised_is_found() {
        assert_eq!(good().faults(), Vec::<String>::new());
        let states = |delivered, pending| {
            BTreeMap::from([("delivered".to_owned(), delivered), ("pending".to_owned(), pending)])
        };
        for (found, faults) in [
            (Found { difference: -1, ..good() }, 1),
            (Found { states: states(9, 1), ..good() }, 1),
            (Found { states: states(11, 0), ..good() }, 2),
            (Found { unseen: 1, ..good() }, 1),
            (Found { invented: 1, ..good() }, 1),
            (Found { again: 3, ..good() }, 1),
            (Found { recoveries: vec![Duration::from_secs(3); 2], ..good() }, 2),
        ] {
            assert_eq!(found.faults().len(), faults, "{found:?}");
        }
    }
}

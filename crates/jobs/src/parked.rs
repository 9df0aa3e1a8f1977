//! Noticing what was parked. Services park what they cannot process, and a broker parks by itself what nobody came to an end
//! with; either way the deliveries that wait for the message would stay pending in the log for ever. So the leader looks at
//! the parked messages and writes what it finds into the log. Repeating that does no harm, and nothing else remembers it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use postrider_domain::record::{Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::log::LogWrite;
use postrider_ports::queue::{Parked, ParkedMessage};
use postrider_runtime::metrics;
use tracing::{error, warn};

/// Messages asked for at once; the queues give fewer when they are large.
const PAGE: usize = 1000;
/// Records written at once: a transaction of some milliseconds.
const WRITTEN_AT_ONCE: usize = 500;
/// When nothing came or went it looks again after this time: as many may have come as went.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A look over thousands of messages takes a broker seconds: it rests ten times as long as it took.
const REST: u32 = 10;

/// Looks at the parked messages.
pub struct Watch {
    /// The messages.
    pub parked: Arc<dyn Parked>,
    /// Where it is noted whom they keep waiting.
    pub log: Arc<dyn LogWrite>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What a watch has seen in its term.
#[derive(Debug, Default)]
pub struct Memory {
    /// The messages of the last look, and when each was parked.
    seen: HashMap<i64, Timestamp>,
    /// How many there were.
    count: Option<u64>,
    /// When it looks at the latest.
    look_at: Option<Timestamp>,
    /// Before this it does not look.
    rest_until: Option<Timestamp>,
}

impl Watch {
    /// Looks if something changed or it has not looked for long; returns how many deliveries were noted as parked.
    pub async fn round(&self, memory: &mut Memory) -> PortResult<usize> {
        let begun = self.clock.now();
        if memory.rest_until.is_some_and(|until| begun < until) {
            return Ok(0);
        }
        let count = self.parked.count().await?;
        metrics::gauge("postrider.parked.messages", "Messages put aside for a person", "{message}")
            .set(count);
        let is_due = memory.look_at.is_none_or(|at| at <= begun);
        if memory.count == Some(count) && !is_due {
            return Ok(0);
        }
        let noted = if count == 0 {
            memory.seen.clear();
            0
        } else {
            self.look(memory).await?
        };
        let ended = self.clock.now();
        memory.count = Some(count);
        memory.look_at = Some(ended.plus(LOOK_EVERY));
        memory.rest_until = Some(ended.plus(ended.since(begun) * REST));
        Ok(noted)
    }

    async fn look(&self, memory: &mut Memory) -> PortResult<usize> {
        let (mut seen, mut after, mut noted) = (HashMap::new(), None, 0);
        loop {
            let page = self.parked.list(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            // What was put back and parked again may have the same id, but not the same instant.
            let fresh =
                page.iter().filter(|message| memory.seen.get(&message.id) != Some(&message.parked_at));
            let records: Vec<Record> = fresh.flat_map(|message| self.records(message)).collect();
            for part in records.chunks(WRITTEN_AT_ONCE) {
                for poisoned in self.log.write(part).await? {
                    warn!(
                        reason = poisoned.reason,
                        "that a delivery is parked cannot be written into the log"
                    );
                }
            }
            noted += records.len();
            seen.extend(page.iter().map(|message| (message.id, message.parked_at)));
        }
        memory.seen = seen;
        if noted > 0 {
            error!(deliveries = noted, "deliveries wait for parked messages: see `postrider parked list`");
        }
        Ok(noted)
    }

    fn records(&self, message: &ParkedMessage) -> impl Iterator<Item = Record> {
        // A broker of which it is not known when it parked something says 0.
        let known = Some(message.parked_at).filter(|at| at.unix_ms() > 0);
        let at = known.unwrap_or_else(|| self.clock.now());
        message.holds.iter().map(move |held| {
            Record::Settled(SettledRecord {
                delivery: held.delivery.clone(),
                state: DeliveryState::Parked,
                attempt: held.attempt,
                reason: message.reason.clone(),
                by: None,
                at,
            })
        })
    }
}

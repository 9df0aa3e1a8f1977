//! The sick part of a story: how it begins, goes on beside the healthy part, and what it came to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::HEALTHY;
use super::dead::Dead;
use super::story::{Sick, Story};
use crate::bench::book::{Book, now};
use crate::bench::figures::{number, thousandths};
use crate::bench::load::{Heedless, flood};
use crate::bench::receiver::Manner;
use crate::bench::run::{Lab, OBEYED, Space, WARM_UP, total};
use crate::bench::system::{LOOK, System};

/// The space of a sick tenant.
const SICK: &str = "sick";
/// Seconds that a run takes at most: so many events may come meanwhile.
const LONGEST: usize = 120;
/// How long it may take until everything waits.
const PATIENCE: Duration = Duration::from_secs(60);
/// How old the broker's counters may be, and a little.
const COUNTED: Duration = Duration::from_millis(5500);

/// A sick part at work.
pub(super) struct Illness {
    /// The space it is in.
    space: &'static str,
    /// Those whose events go on coming.
    streams: Vec<Arc<Heedless>>,
    /// Events at its beginning.
    begun_with: usize,
    /// What its receiver got, if it has one.
    book: Option<Arc<Book>>,
    _dead: Option<Dead>,
}

impl Illness {
    /// Makes it sick.
    pub(super) async fn begin(lab: &Lab, system: &System, story: &Story) -> Result<Self> {
        match story.sick {
            Sick::Hangs { own_space, for_long, events, settled, per_second } => {
                let space = if own_space { SICK } else { HEALTHY };
                if own_space {
                    system.space(space, &[]).await?;
                }
                lab.hanging.hang(Duration::ZERO);
                let hangs = Space::split(system, &lab.hanging, (space, "Asset"), 1, Manner::Turning).await?;
                // It has grown to as many calls at once as a webhook may have.
                hangs.at_full_speed("warm", 3 * WARM_UP).await?;
                lab.hanging.hang(for_long);
                let more = LONGEST * usize::try_from(per_second)?;
                let book = hangs.book(events + more);
                announce(&book, events + more);
                let door = hangs.door("run");
                flood(&door, &book, events).await?;
                let before = 3 * WARM_UP + if own_space { 0 } else { WARM_UP };
                if settled {
                    until_on_record(system, space, before + events).await?;
                }
                let streams = vec![Heedless::new(&door, events, 1, per_second)];
                Ok(Self { space, streams, begun_with: events, book: Some(book), _dead: None })
            }
            Sick::Dead { hosts, events, per_second } => {
                let dead = Dead::start().await?;
                for host in 0..hosts {
                    let definition = json!({
                        "name": format!("dead {host}"), "url": dead.url(host),
                        "topics": ["Asset.publish"], "contentTypes": [format!("page-{host}")],
                    });
                    system.webhook(HEALTHY, &definition).await?;
                }
                tokio::time::sleep(OBEYED).await;
                let mut door = system.door(HEALTHY);
                "dead".clone_into(&mut door.prefix);
                (door.event_type, door.content_types) = ("Asset", hosts);
                let book = Arc::new(Book::new(1, events));
                flood(&door, &book, events).await?;
                let streams = vec![Heedless::new(&door, events, 1, per_second)];
                Ok(Self { space: HEALTHY, streams, begun_with: events, book: None, _dead: Some(dead) })
            }
            Sick::Flood { singles, arrays: (per_second, size) } => {
                system.space(SICK, &[]).await?;
                let loud = Space::split(system, &lab.hanging, (SICK, "Entry"), 1, Manner::AtOnce).await?;
                let alone = LONGEST * usize::try_from(singles)?;
                let all = alone + LONGEST * usize::try_from(per_second)? * size;
                let book = loud.book(all);
                announce(&book, all);
                let door = loud.door("flood");
                let streams =
                    vec![Heedless::new(&door, 0, 1, singles), Heedless::new(&door, alone, size, per_second)];
                Ok(Self { space: SICK, streams, begun_with: 0, book: Some(book), _dead: None })
            }
        }
    }

    /// Does something while more of it comes.
    pub(super) async fn beside<T>(&self, healthy: impl Future<Output = Result<T>>) -> Result<T> {
        let mut streams = JoinSet::new();
        for stream in &self.streams {
            streams.spawn(Arc::clone(stream).publish());
        }
        tokio::select! {
            done = healthy => done,
            Some(ended) = streams.join_next() => {
                ended.context("a stream panicked")??;
                bail!("the sick part came to an end")
            }
        }
    }

    /// What it came to, and what it cost.
    pub(super) async fn account(&self, lab: &Lab, system: &System) -> Result<Value> {
        tokio::time::sleep(COUNTED).await;
        let queues = system.queues(&lab.servers).await?;
        let queues = queues.as_object().context("the broker's queues")?;
        let count = |name: &str, what: &str| {
            let of = queues.iter().filter(|(queue, _)| queue.starts_with(name));
            of.filter_map(|(_, stats)| stats[what].as_u64()).sum::<u64>()
        };
        let (put_off, came_back) = (count("delay.", "publish"), count("deliver.late", "deliver"));
        let sum = |count: fn(&Heedless) -> &AtomicUsize| {
            self.streams.iter().map(|stream| count(stream).load(Ordering::Relaxed)).sum::<usize>()
        };
        let (accepted, refused) = (sum(|stream| &stream.accepted), sum(|stream| &stream.refused));
        let deliveries = self.begun_with + accepted;
        let messages = number(usize::try_from(put_off + came_back)?) / number(deliveries.max(1));
        Ok(json!({
            "deliveries": deliveries,
            "accepted_beside": accepted,
            "refused_beside": refused,
            "calls_received": self.book.as_ref().map(|book| book.deliveries() - book.missing()),
            "put_off": put_off,
            "came_back": came_back,
            "broker_messages_per_waiting_delivery": thousandths(messages),
            "states": system.states(self.space).await?,
        }))
    }
}

/// Notes all events as sent: the receiver knows them whenever they come.
fn announce(book: &Book, events: usize) {
    let at = now();
    (0..events).for_each(|event| book.send(event, at));
}

/// Waits until so many deliveries of a space are on record, in whatever state.
async fn until_on_record(system: &System, space: &str, deliveries: usize) -> Result<()> {
    let reached = async {
        while usize::try_from(total(&system.states(space).await?))? < deliveries {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(reached) => reached,
        Err(_) => bail!("of {deliveries} deliveries on record: {}", system.states(space).await?),
    }
}

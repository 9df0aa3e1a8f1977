//! Notices that the broker lost its disk, and puts back what waited there; by hand what is overdue (DESIGN §5).
//!
//! Nothing twice, as far as anybody can know:
//! - Only a broker without any epoch lost its disk. One with an epoch that the store does not know has its messages, and it
//!   is the store that is older: then nothing is put back, and that is told.
//! - What dispatchers had in hand when the disk went comes to an end first ([`Settings::settle`]), and its records are
//!   written: the queue of records was seen empty since. Only what last changed before is looked at.
//! - A mark outlives the disk, the records and messages that it stands for do not. So marks are asked: of a delivery that is
//!   marked as ended the log is told so, and of one that is marked as tried the attempt after that is put back.
//! - A copy is a suspect, so it asks how far its delivery has come. A copy of a retry comes [`Settings::later`] after its
//!   instant, so that an original that is alive after all goes first, and is known when the copy asks.
//! - A page is published, confirmed, then noted. What a leader published that died before the note is published again by
//!   the next one, that much later.
//!
//! Never a storm: [`Settings::page`] deliveries, then a pause of [`Settings::pace`], into the lane of what waits.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::delivery::{DeliveryRef, DeliveryState, Progress};
use postrider_domain::event::Carried;
use postrider_domain::message::{DeliverMessage, Lane, Queue, Target, TraceContext};
use postrider_domain::record::{Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::error::PortResult;
use postrider_ports::log::LogWrite;
use postrider_ports::progress::Marks;
use postrider_ports::queue::{Depths, Outgoing, Publish};
use postrider_ports::reconcile::{
    BrokerEpoch, Cause, Epoch, Era, OpenDeliveries, OpenDelivery, Reconciliations, Run, Standing,
};
use tracing::{info, warn};

/// How carefully open deliveries are put back.
#[derive(Debug, Clone)]
pub struct Settings {
    /// After a broker came back without its disk, so long nothing is put back: the longest call of 30 s, and 5 s for its
    /// record.
    pub settle: Duration,
    /// A copy of a retry comes so long after the instant that the log knows: longer than the longest call.
    pub later: Duration,
    /// By hand nothing is put back while records wait longer than this (DESIGN §5: 1 min).
    pub lag: Duration,
    /// Deliveries that are looked at together.
    pub page: usize,
    /// The pause between two pages: 250 each 250 ms are 1,000 a second, a third of what a dispatcher makes of them.
    pub pace: Duration,
}

/// What it stands on.
#[derive(Clone)]
pub struct Ports {
    /// The epoch in the broker.
    pub epochs: Arc<dyn BrokerEpoch>,
    /// The epoch in the store, and the runs.
    pub runs: Arc<dyn Reconciliations>,
    /// What is open.
    pub open: Arc<dyn OpenDeliveries>,
    /// Where it is put.
    pub deliver: Arc<dyn Publish<DeliverMessage>>,
    /// How far deliveries had come by records that may be lost.
    pub marks: Arc<dyn Marks>,
    /// Where it is noted that a delivery ended whose record is lost.
    pub write: Arc<dyn LogWrite>,
    /// Whether records wait.
    pub depths: Arc<dyn Depths>,
    /// Where epochs come from.
    pub random: Arc<dyn Random>,
}

/// Looks after the broker's epoch.
pub(crate) struct Reconciler {
    settings: Settings,
    ports: Ports,
    clock: Arc<dyn Clock>,
}

/// What a leader has seen in its term.
#[derive(Default)]
pub(crate) struct Watch {
    /// When the queue of records was last seen empty.
    caught_up_at: Option<Timestamp>,
    /// The last page was published and noted. What was published and not noted may be there twice.
    is_noted: bool,
    /// When the broker was first found to be away, if it was not found with its disk since.
    away_since: Option<Timestamp>,
    /// What was last said to be in the way: it is said once.
    said: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(35),
            later: Duration::from_mins(1),
            lag: Duration::from_mins(1),
            page: 250,
            pace: Duration::from_millis(250),
        }
    }
}

impl Reconciler {
    pub(crate) fn new(settings: Settings, ports: Ports, clock: Arc<dyn Clock>) -> Self {
        Self { settings, ports, clock }
    }

    /// Looks once, and puts back a page if there is something to put back; how long until the next, if there is more.
    pub(crate) async fn step(&self, watch: &mut Watch) -> Option<Duration> {
        match self.look(watch).await {
            Ok(more) => more.then_some(self.settings.pace),
            Err(fault) => {
                watch.is_noted = false;
                watch.away_since.get_or_insert(self.clock.now());
                watch.say(&format!("whether the broker has its disk cannot be looked after: {fault}"));
                None
            }
        }
    }

    async fn look(&self, watch: &mut Watch) -> PortResult<bool> {
        let now = self.clock.now();
        if self.ports.depths.depth(Queue::Records).await?.ready == 0 {
            watch.caught_up_at = Some(now);
        }
        let Some(era) = self.ports.runs.era().await? else {
            return self.first(now).await;
        };
        let run = self.ports.runs.runs().await?.into_iter().find(|run| run.ended.is_none());
        match run {
            Some(run) if run.cause == Cause::DiskLost => self.recover(watch, &era, run, now).await,
            by_hand => self.compare(watch, &era, by_hand, now).await,
        }
    }

    /// There was no epoch yet: a new deployment, or a release before knew none. Nobody can know what was lost before.
    async fn first(&self, now: Timestamp) -> PortResult<bool> {
        let epoch = Epoch::draw(&*self.ports.random);
        self.ports.epochs.keep(epoch).await?;
        self.ports.runs.note_era(None, &Era { epoch, seen_at: now }).await?;
        Ok(false)
    }

    async fn compare(
        &self,
        watch: &mut Watch,
        era: &Era,
        by_hand: Option<Run>,
        now: Timestamp,
    ) -> PortResult<bool> {
        match self.ports.epochs.standing(era.epoch).await? {
            Standing::Blank => {
                let gone = watch.away_since.unwrap_or(now);
                self.lost(era, by_hand, gone, now).await
            }
            Standing::Other => self.adopt(era, now).await,
            standing => {
                watch.away_since = None;
                // Only begun is what a broker says whose disk is an older one.
                if standing == Standing::Begun {
                    self.ports.epochs.keep(era.epoch).await?;
                }
                self.ports.runs.note_era(Some(era.epoch), &Era { seen_at: now, ..*era }).await?;
                if let Some(run) = by_hand {
                    return self.by_hand(watch, run, now).await;
                }
                watch.said = None;
                Ok(false)
            }
        }
    }

    /// The disk is lost. The run is entered first: from then on it is known, whoever dies.
    async fn lost(
        &self,
        era: &Era,
        by_hand: Option<Run>,
        gone: Timestamp,
        now: Timestamp,
    ) -> PortResult<bool> {
        if let Some(run) = by_hand {
            let why = "the broker lost its disk meanwhile: everything that is open is put back".to_owned();
            self.ports.runs.advance(&run, &run.ended(now, Some(why))).await?;
        }
        let last = self.ports.open.last_change(now).await?;
        let missing = last.map(|last| gone.since(last));
        let missing_ms = missing.map(|missing| u64::try_from(missing.as_millis()).unwrap_or(u64::MAX));
        let run = Run { missing_ms, ..Run::new(Epoch::draw(&*self.ports.random), Cause::DiskLost, now) };
        if self.ports.runs.enter(&run).await? {
            warn!(
                seen_at = %era.seen_at,
                missing_ms = missing_ms.unwrap_or(0),
                "the broker came back without its disk; what is open in the log is put back, and what was accepted in the \
                 missing time at the end of the log is lost"
            );
            self.ports.epochs.begin(run.id).await?;
        }
        Ok(true)
    }

    /// The broker has its disk, and the store does not know it: a store that was restored from a backup, as a rule. What is
    /// open in it may be done long since, and what waits in the broker is there. So nothing is put back.
    async fn adopt(&self, era: &Era, now: Timestamp) -> PortResult<bool> {
        let epoch = Epoch::draw(&*self.ports.random);
        self.ports.epochs.keep(epoch).await?;
        if self.ports.runs.note_era(Some(era.epoch), &Era { epoch, seen_at: now }).await? {
            warn!("the broker has its disk, but the database does not know its epoch; nothing is put back");
            let why = "the broker has its disk, and the database does not know its epoch; was it restored from a backup? \
                       Nothing was put back: deliveries that are open in it may have been made since";
            let told = Run::new(epoch, Cause::UnknownEpoch, now).ended(now, Some(why.to_owned()));
            self.ports.runs.enter(&told).await?;
        }
        Ok(false)
    }

    /// Goes on with putting back what a lost disk held.
    async fn recover(&self, watch: &mut Watch, era: &Era, run: Run, now: Timestamp) -> PortResult<bool> {
        match self.ports.epochs.standing(run.id).await? {
            Standing::Begun => {}
            Standing::Kept => return self.recovered(era, &run, &run, now).await,
            Standing::Other => {
                let why = "the broker has another epoch since: nothing more was put back".to_owned();
                self.ports.runs.advance(&run, &run.ended(now, Some(why))).await?;
                return self.adopt(era, now).await;
            }
            // Never begun, or lost once more: what was put back is gone too.
            Standing::Blank => {
                let anew = Run { missing_ms: run.missing_ms, ..Run::new(run.id, run.cause, now) };
                if self.ports.runs.advance(&run, &anew).await? {
                    self.ports.epochs.begin(run.id).await?;
                }
                return Ok(false);
            }
        }
        let settled = run.asked_at.plus(self.settings.settle);
        if watch.caught_up_at.is_none_or(|at| at < settled) {
            watch.say("what the broker lost is put back once what dispatchers had in hand is written");
            return Ok(false);
        }
        let Some(after) = self.put_back(watch, &run, now).await? else { return Ok(true) };
        self.recovered(era, &run, &after, now).await
    }

    /// Everything is put back: broker first, then the store.
    async fn recovered(&self, era: &Era, before: &Run, run: &Run, now: Timestamp) -> PortResult<bool> {
        self.ports.epochs.keep(run.id).await?;
        self.ports.runs.note_era(Some(era.epoch), &Era { epoch: run.id, seen_at: now }).await?;
        self.end(before, run, now).await
    }

    async fn by_hand(&self, watch: &mut Watch, run: Run, now: Timestamp) -> PortResult<bool> {
        if watch.caught_up_at.is_none_or(|at| now >= at.plus(self.settings.lag)) {
            let waiting = self.ports.depths.depth(Queue::Records).await?.ready;
            let why = format!(
                "{waiting} messages of records wait to be written, and the queue `records` was not seen empty within {} s: \
                 what looks open in the log may be done. Let a log-writer catch up first",
                self.settings.lag.as_secs()
            );
            self.ports.runs.advance(&run, &run.ended(now, Some(why))).await?;
            return Ok(false);
        }
        let untried = self.untried().await?;
        if run.began_at.is_none() && untried > 0 {
            if now >= run.asked_at.plus(HANDED_OUT) {
                let why = format!(
                    "{untried} messages wait in `deliver.fresh` and `deliver.bulk`: what looks overdue may be among them. \
                     Let a dispatcher take them first"
                );
                self.ports.runs.advance(&run, &run.ended(now, Some(why))).await?;
            }
            return Ok(false);
        }
        let Some(after) = self.put_back(watch, &run, now).await? else { return Ok(true) };
        self.end(&run, &after, now).await
    }

    /// First attempts that nobody has taken yet. They do not ask how far their delivery has come, so that a copy that comes
    /// before its original would be a second call. Whatever was put off asks.
    async fn untried(&self) -> PortResult<u64> {
        let mut ready = 0;
        for lane in [Lane::Fresh, Lane::Bulk] {
            ready += self.ports.depths.depth(Queue::Deliver(lane)).await?.ready;
        }
        Ok(ready)
    }

    async fn end(&self, before: &Run, run: &Run, now: Timestamp) -> PortResult<bool> {
        if self.ports.runs.advance(before, &run.ended(now, None)).await? {
            info!(
                cause = run.cause.as_str(),
                put_back = run.put_back,
                without_content = run.without_content,
                missing_ms = run.missing_ms.unwrap_or(0),
                "open deliveries were put back"
            );
        }
        Ok(false)
    }

    /// Puts back a page. `Some`: that was the last, and how far the run is now.
    async fn put_back(&self, watch: &mut Watch, run: &Run, now: Timestamp) -> PortResult<Option<Run>> {
        let mut run = run.clone();
        // An earlier leader may have published the page that comes now.
        let may_repeat = run.began_at.is_some() && !watch.is_noted;
        if run.began_at.is_none() {
            let begun = Run { began_at: Some(now), ..run.clone() };
            if !self.ports.runs.advance(&run, &begun).await? {
                return Ok(None);
            }
            run = begun;
        }
        let page = self.ports.open.open(&run.wanted(self.settings.page)).await?;
        let is_lost = run.cause == Cause::DiskLost;
        let (known, unknown): (Vec<_>, Vec<_>) =
            page.items.into_iter().partition(|one| one.content.is_some());
        let without_content = unknown.len() as u64;
        let (copies, mut ended) = self.sorted_out(known, may_repeat, now).await;
        // They never can be made. By hand they are only counted: their record may still come.
        ended.extend(unknown.iter().filter(|_| is_lost).map(|one| lost_event(one, now)));
        let count = copies.len() as u64;
        if !ended.is_empty() {
            self.ports.write.write(&ended).await?;
        }
        if count > 0 {
            // Until it is noted, nobody knows.
            watch.is_noted = false;
            self.ports.deliver.publish(copies).await?;
        }
        let after = Run {
            place: page.next.clone().or_else(|| run.place.clone()),
            put_back: run.put_back + count,
            without_content: run.without_content + without_content,
            ..run.clone()
        };
        if page.next.is_none() {
            return Ok(Some(after));
        }
        watch.is_noted = self.ports.runs.advance(&run, &after).await?;
        Ok(None)
    }

    /// What is put back, and what the log is told instead. Without marks everything is put back.
    async fn sorted_out(
        &self,
        open: Vec<OpenDelivery>,
        may_repeat: bool,
        now: Timestamp,
    ) -> (Vec<Outgoing<DeliverMessage>>, Vec<Record>) {
        let ids: Vec<_> = open.iter().map(|one| delivery(one).id()).collect();
        let mut marks = match self.ports.marks.marked(&ids).await {
            Ok(marks) => marks,
            Err(error) => {
                warn!(%error, "marks cannot be read; what is put back may have been called before");
                Vec::new()
            }
        };
        marks.resize(open.len(), None);
        let (mut copies, mut ended) = (Vec::new(), Vec::new());
        for (one, mark) in open.into_iter().zip(marks) {
            match mark.filter(|mark| mark.state.is_final()) {
                Some(end) => ended.push(lost_record(&one, end, now)),
                None => copies.extend(self.copy(one, mark, may_repeat, now)),
            }
        }
        (copies, ended)
    }

    /// The message of a delivery's next attempt once more.
    fn copy(
        &self,
        mut open: OpenDelivery,
        mark: Option<Progress>,
        may_repeat: bool,
        now: Timestamp,
    ) -> Option<Outgoing<DeliverMessage>> {
        if let Some(mark) = mark.filter(|mark| mark.attempt > open.attempt) {
            // When its retry was due stood in the record.
            (open.attempt, open.next_at) = (mark.attempt, Some(now));
        }
        let due = open.next_at.map(|at| at.plus(self.settings.later));
        let again = may_repeat.then(|| now.plus(self.settings.later));
        let target = Target {
            webhook: open.webhook,
            generation: open.generation,
            attempt: open.attempt.saturating_add(1),
            window: None,
            coalesced: None,
        };
        let event = Carried { head: open.event, content: open.content? };
        Some(Outgoing {
            message: DeliverMessage { event, lane: Lane::Late, targets: vec![target] },
            suspect: true,
            not_before: due.max(again).filter(|at| *at > now),
            trace: TraceContext::default(),
        })
    }
}

/// By hand, first attempts that wait are waited for so long: where dispatchers keep up, they are seen empty within.
const HANDED_OUT: Duration = Duration::from_secs(30);

fn delivery(open: &OpenDelivery) -> DeliveryRef {
    let (event, webhook) = (Arc::clone(&open.event), open.webhook.clone());
    DeliveryRef { event, webhook, generation: open.generation }
}

/// Tells the log that a delivery can never be made.
fn lost_event(open: &OpenDelivery, at: Timestamp) -> Record {
    Record::Settled(SettledRecord {
        delivery: delivery(open),
        state: DeliveryState::GivenUp,
        attempt: open.attempt,
        reason: "the broker lost its disk, and with it the event".to_owned(),
        by: None,
        at,
    })
}

/// Tells the log of an end that only its mark knows.
fn lost_record(open: &OpenDelivery, end: Progress, at: Timestamp) -> Record {
    Record::Settled(SettledRecord {
        delivery: delivery(open),
        state: end.state,
        attempt: end.attempt,
        reason: "it ended so before the broker lost its disk, and the record of it".to_owned(),
        by: None,
        at,
    })
}

impl Watch {
    /// Says what is in the way, once.
    fn say(&mut self, what: &str) {
        if self.said.as_deref() != Some(what) {
            warn!(what, "open deliveries are not put back now");
            self.said = Some(what.to_owned());
        }
    }
}

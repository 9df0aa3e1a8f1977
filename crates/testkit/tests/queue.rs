//! The fake queues pass their suites, and broken ones are rejected by the case that is about what they break.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use postrider_domain::message::{Queue, TraceContext};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{
    Consume, Consumers, Depth, Depths, Lease, Outgoing, Parked, ParkedMessage, Publish, Received,
};
use postrider_testkit::conformance::queue::QueueAdapter;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::queue::{MemoryQueue, Queued};
use postrider_testkit::{ManualClock, START};

/// What is wrong with a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    Backwards,
    ForgetsSuspicion,
    ForgetsTrace,
    IgnoresMax,
    PublishesTwice,
    LosesOnCancel,
    LosesTheLast,
    SaysNothingOfDepth,
    AckReleases,
    DropForgets,
    ReleaseRejects,
    RejectReleases,
    ParkForgets,
    DeliversEarly,
    DeliversLate,
    NotThroughLate,
    LosesTheFile,
    LeasesDieWithTheProcess,
    AnswersBeforeItIsDurable,
    ListForgetsTheCursor,
    RedriveForgets,
    RedriveOfNothing,
    DiscardKeeps,
    NeverWakes,
    OneAtATime,
    CallsNewerTransient,
    ThrowsGarbageAway,
    CountsNothing,
    HoldsNothing,
    CrashesWithoutEnd,
}

struct Flawed {
    inner: MemoryQueue,
    flaw: Flaw,
    /// How many messages are handed out.
    out: Arc<AtomicUsize>,
    /// Published, but not yet stored; each waits for the next to push it on.
    unstored: Arc<Mutex<Option<Store>>>,
}

type Store = Box<dyn FnOnce(&MemoryQueue) -> futures::future::BoxFuture<'static, ()> + Send>;

#[async_trait]
impl<M: Queued> Publish<M> for Flawed {
    async fn publish(&self, mut batch: Vec<Outgoing<M>>) -> PortResult<()> {
        let millisecond = Duration::from_millis(1);
        match self.flaw {
            Flaw::Backwards => batch.reverse(),
            Flaw::LosesTheLast if batch.len() > 400 => drop(batch.pop()),
            Flaw::PublishesTwice => batch = batch.into_iter().flat_map(|one| [one.clone(), one]).collect(),
            _ => {}
        }
        for one in &mut batch {
            match self.flaw {
                Flaw::ForgetsSuspicion => one.suspect = false,
                Flaw::ForgetsTrace => one.trace = TraceContext::default(),
                Flaw::DeliversEarly => one.not_before = one.not_before.map(|at| at.minus(millisecond)),
                Flaw::DeliversLate => one.not_before = one.not_before.map(|at| at.plus(millisecond)),
                Flaw::NotThroughLate => one.not_before = None,
                _ => {}
            }
        }
        if self.flaw == Flaw::AnswersBeforeItIsDurable {
            let store: Store = Box::new(move |inner| {
                let inner = inner.clone();
                Box::pin(async move { inner.publish(batch).await.expect("the fake stores") })
            });
            *self.unstored.lock().expect("no panic") = Some(store);
            return Ok(());
        }
        self.inner.publish(batch).await
    }
}

impl<M: Queued> Consumers<M> for Flawed {
    fn consumer(&self, queue: Queue) -> Box<dyn Consume<M>> {
        let (inner, flaw) = (self.inner.consumer(queue), self.flaw);
        let (unstored, out) = (Arc::clone(&self.unstored), Arc::clone(&self.out));
        Box::new(FlawedConsumer { inner, flaw, out, unstored, queue: self.inner.clone() })
    }
}

struct FlawedConsumer<M> {
    inner: Box<dyn Consume<M>>,
    flaw: Flaw,
    out: Arc<AtomicUsize>,
    unstored: Arc<Mutex<Option<Store>>>,
    queue: MemoryQueue,
}

#[async_trait]
impl<M: Queued> Consume<M> for FlawedConsumer<M> {
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Received<M>>> {
        let unstored = self.unstored.lock().expect("no panic").take();
        if let Some(store) = unstored {
            store(&self.queue).await;
        }
        let max = if self.flaw == Flaw::IgnoresMax { max + 1 } else { max };
        if self.flaw == Flaw::OneAtATime && self.out.load(Ordering::SeqCst) > 0 {
            std::future::pending::<()>().await;
        }
        let flaw = self.flaw;
        let transient = |error: PortError| match flaw {
            Flaw::CallsNewerTransient => PortError::transient(error.message),
            _ => error,
        };
        let received = if flaw == Flaw::NeverWakes {
            match self.inner.receive(max).now_or_never() {
                Some(received) => received,
                None => std::future::pending().await,
            }
        } else {
            self.inner.receive(max).await
        };
        let mut received = ManuallyDrop::new(received.map_err(transient)?);
        if self.flaw == Flaw::LosesOnCancel {
            tokio::task::yield_now().await;
        }
        let flawed = std::mem::take(&mut *received).into_iter().map(|one| {
            self.out.fetch_add(1, Ordering::SeqCst);
            let lease = FlawedLease { inner: Some(one.lease), flaw, out: Arc::clone(&self.out) };
            Received { lease: Box::new(lease), ..one }
        });
        Ok(flawed.collect())
    }
}

struct FlawedLease {
    inner: Option<Box<dyn Lease>>,
    flaw: Flaw,
    out: Arc<AtomicUsize>,
}

impl FlawedLease {
    fn take(&mut self) -> Box<dyn Lease> {
        self.inner.take().expect("a lease ends once")
    }
}

impl Drop for FlawedLease {
    fn drop(&mut self) {
        self.out.fetch_sub(1, Ordering::SeqCst);
        if self.flaw == Flaw::DropForgets {
            std::mem::forget(self.inner.take());
        }
    }
}

#[async_trait]
impl Lease for FlawedLease {
    async fn ack(mut self: Box<Self>) -> PortResult<()> {
        let inner = self.take();
        if self.flaw == Flaw::AckReleases { inner.release().await } else { inner.ack().await }
    }

    async fn reject(mut self: Box<Self>, reason: &str) -> PortResult<()> {
        let inner = self.take();
        if self.flaw == Flaw::RejectReleases { inner.release().await } else { inner.reject(reason).await }
    }

    async fn park(mut self: Box<Self>, reason: &str) -> PortResult<()> {
        let inner = self.take();
        if self.flaw == Flaw::ParkForgets { inner.ack().await } else { inner.park(reason).await }
    }

    async fn release(mut self: Box<Self>) -> PortResult<()> {
        let inner = self.take();
        if self.flaw == Flaw::ReleaseRejects { inner.reject("released").await } else { inner.release().await }
    }
}

#[async_trait]
impl Depths for Flawed {
    async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        match self.flaw {
            Flaw::SaysNothingOfDepth => Ok(Depth::default()),
            _ => self.inner.depth(queue).await,
        }
    }
}

#[async_trait]
impl Parked for Flawed {
    async fn park(&self, queue: &str, reason: &str, body: &[u8]) -> PortResult<()> {
        let body = if self.flaw == Flaw::ParkForgets { b"" } else { body };
        self.inner.park(queue, reason, body).await
    }

    async fn count(&self) -> PortResult<u64> {
        Ok(if self.flaw == Flaw::CountsNothing { 0 } else { self.inner.count().await? })
    }

    async fn list(&self, after: Option<i64>, max: usize) -> PortResult<Vec<ParkedMessage>> {
        let after = after.filter(|_| self.flaw != Flaw::ListForgetsTheCursor);
        let mut list = self.inner.list(after, max).await?;
        if self.flaw == Flaw::ThrowsGarbageAway {
            list.retain(|one| one.reason == "injected");
        }
        if self.flaw == Flaw::HoldsNothing {
            for one in &mut list {
                one.holds.clear();
            }
        }
        Ok(list)
    }

    async fn redrive(&self, id: i64) -> PortResult<bool> {
        match self.flaw {
            Flaw::RedriveForgets => self.inner.discard(id).await,
            Flaw::RedriveOfNothing => self.inner.redrive(id).await.map(|_| true),
            _ => self.inner.redrive(id).await,
        }
    }

    async fn discard(&self, id: i64) -> PortResult<bool> {
        if self.flaw == Flaw::DiscardKeeps { Ok(id != 4711) } else { self.inner.discard(id).await }
    }
}

/// Makes flawed queues and remembers the last, to reopen it.
struct Maker {
    flaw: Flaw,
    last: Mutex<Option<MemoryQueue>>,
}

impl Maker {
    fn new(flaw: Flaw) -> Self {
        Self { flaw, last: Mutex::new(None) }
    }

    fn make(&self, inner: MemoryQueue) -> Arc<dyn QueueAdapter> {
        *self.last.lock().expect("no panic") = Some(inner.clone());
        Arc::new(Flawed { inner, flaw: self.flaw, out: Arc::default(), unstored: Arc::default() })
    }
}

#[async_trait]
impl Harness<dyn QueueAdapter> for Maker {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn QueueAdapter> {
        self.make(MemoryQueue::new(clock))
    }

    async fn reopen(
        &self,
        _: Arc<dyn QueueAdapter>,
        clock: Arc<ManualClock>,
    ) -> Option<Arc<dyn QueueAdapter>> {
        let last = self.last.lock().expect("no panic").take().expect("a queue was made");
        if self.flaw == Flaw::CrashesWithoutEnd {
            let reopened = last.reopen();
            for parked in reopened.list(None, 10).await.expect("listed") {
                reopened.redrive(parked.id).await.expect("it has a queue");
            }
            return Some(self.make(reopened));
        }
        Some(self.make(match self.flaw {
            Flaw::LosesTheFile => MemoryQueue::new(clock),
            // A reopening that sees no leases: they are still held by the dead.
            Flaw::LeasesDieWithTheProcess => last,
            _ => last.reopen(),
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn the_fake_queues_pass() {
    conformance::queue::run(&Maker::new(Flaw::None)).await;
    conformance::parked::run(&Maker::new(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_queues_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::Backwards, "handing_out::messages_come_in_the_order_of_their_publishing"),
        (Flaw::ForgetsSuspicion, "handing_out::suspicion_and_trace_travel_with_the_message"),
        (Flaw::PublishesTwice, "handing_out::every_kind_of_message_arrives_as_it_was_sent"),
        (Flaw::NeverWakes, "handing_out::a_waiting_consumer_wakes_when_a_message_comes"),
        (Flaw::NeverWakes, "delay::a_waiting_consumer_wakes_when_a_message_falls_due"),
        (Flaw::OneAtATime, "endings::one_message_does_not_hold_up_the_others"),
        (Flaw::DeliversLate, "delay::delayed_messages_come_in_the_order_of_their_instants"),
        (Flaw::ForgetsTrace, "handing_out::suspicion_and_trace_travel_with_the_message"),
        (Flaw::ForgetsTrace, "delay::a_delayed_message_comes_through_the_late_lane_as_it_was_sent"),
        (Flaw::IgnoresMax, "handing_out::never_more_than_max_are_handed_out"),
        (Flaw::PublishesTwice, "handing_out::two_consumers_never_hold_the_same_message"),
        (Flaw::PublishesTwice, "handing_out::of_five_thousand_none_is_lost_and_none_doubled"),
        (Flaw::LosesTheLast, "handing_out::of_five_thousand_none_is_lost_and_none_doubled"),
        (Flaw::LosesOnCancel, "handing_out::a_cancelled_receive_loses_nothing"),
        (Flaw::SaysNothingOfDepth, "handing_out::the_depth_counts_ready_and_leased"),
        (Flaw::SaysNothingOfDepth, "delay::the_depth_counts_what_is_put_off"),
        (Flaw::AckReleases, "endings::an_acknowledged_message_is_forgotten"),
        (Flaw::DropForgets, "endings::a_dropped_lease_hands_the_message_out_again"),
        (Flaw::ReleaseRejects, "endings::a_release_hands_out_again_and_is_never_held_against_the_message"),
        (Flaw::RejectReleases, "endings::a_reject_hands_out_again_and_the_twentieth_parks"),
        (Flaw::ParkForgets, "endings::a_parked_message_is_kept_with_its_reason"),
        (Flaw::DeliversEarly, "delay::a_delayed_message_comes_exactly_when_it_is_due"),
        (Flaw::DeliversLate, "delay::a_delayed_message_comes_exactly_when_it_is_due"),
        (Flaw::NotThroughLate, "delay::a_waiting_consumer_wakes_when_a_message_falls_due"),
        (Flaw::LosesTheFile, "reopening::what_was_published_is_there_after_a_kill"),
        (Flaw::LosesTheFile, "reopening::what_was_put_off_is_still_due_after_a_kill"),
        (Flaw::AnswersBeforeItIsDurable, "reopening::what_was_published_is_there_after_a_kill"),
        (Flaw::LeasesDieWithTheProcess, "reopening::what_was_leased_comes_back_as_redelivered_after_a_kill"),
        (Flaw::CrashesWithoutEnd, "reopening::what_ends_its_process_every_time_is_parked_in_the_end"),
        (Flaw::AckReleases, "reopening::what_was_acknowledged_stays_gone_after_a_kill"),
    ] {
        conformance::queue::check(&Maker::new(flaw)).await.assert_rejected(case);
    }
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_parked_messages_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::ParkForgets, "bytes_put_aside_are_listed_as_they_were"),
        (Flaw::HoldsNothing, "a_message_put_aside_names_the_deliveries_that_wait_for_it"),
        (Flaw::CountsNothing, "the_count_is_what_the_list_has"),
        (Flaw::ListForgetsTheCursor, "the_list_goes_from_the_oldest_on_page_by_page"),
        (Flaw::RedriveForgets, "a_redriven_message_is_a_suspect_whose_count_is_zero"),
        (Flaw::RedriveForgets, "a_redriven_message_keeps_its_trace"),
        (Flaw::RedriveOfNothing, "what_does_not_exist_is_neither_redriven_nor_discarded"),
        (Flaw::ThrowsGarbageAway, "a_body_that_cannot_be_read_is_parked_and_stops_nobody"),
        (Flaw::CallsNewerTransient, "a_message_of_a_newer_version_stays_where_it_is_and_stops_the_consumer"),
        (Flaw::DiscardKeeps, "a_discarded_message_is_gone"),
    ] {
        conformance::parked::check(&Maker::new(flaw)).await.assert_rejected(case);
    }
}

#[tokio::test]
async fn a_fake_queue_can_be_looked_into_and_told_to_refuse() {
    use postrider_testkit::builders::{deliver, event, outgoing};
    let queue = MemoryQueue::new(Arc::new(ManualClock::new()));
    let message = deliver(&event("Entry.publish").carried(), &["w1"]);
    queue.refuse_publishes(1);
    let refused = queue.publish(vec![outgoing(message.clone())]).await.expect_err("it refuses once");
    assert!(refused.is_transient());
    let due = START.plus(Duration::from_secs(5));
    let put_off = Outgoing { not_before: Some(due), ..outgoing(message.clone()) };
    queue.publish(vec![outgoing(message.clone()), put_off]).await.expect("it takes the second");
    let fresh = queue.waiting::<postrider_domain::message::DeliverMessage>(Queue::Deliver(message.lane));
    assert_eq!(fresh, [(message, None)]);
    let late = Queue::Deliver(postrider_domain::message::Lane::Late);
    let late = queue.waiting::<postrider_domain::message::DeliverMessage>(late);
    assert_eq!(late[0].1, Some(due));
}

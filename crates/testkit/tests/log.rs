//! The fake log passes its suites, and broken ones are rejected by the case that is about what they break.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::event::{BodyRef, Content};
use postrider_domain::id::{CallId, EventId, SpaceId, WebhookId};
use postrider_domain::record::Record;
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::bodies::Bodies;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{
    Days, DeliveryRow, EventRow, LogQuery, LogRead, LogWrite, Order, Page, Poisoned, Removed, Reopen,
    Retention, StateCounts,
};
use postrider_ports::progress::{Asked, Progresses};
use postrider_testkit::ManualClock;
use postrider_testkit::conformance::log::LogAdapter;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::log::MemoryLog;

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    LastWordWins,
    FirstPartWins,
    ForgetsParking,
    ParkedForGood,
    ReopensAll,
    ReopensNothing,
    DoublesCalls,
    PoisonFailsAll,
    ForgetsUnlisted,
    MixesSpaces,
    OldestFirst,
    NoCursor,
    IgnoresFilters,
    IgnoresOrder,
    IgnoresTried,
    IgnoresNext,
    CountsResends,
    AlwaysGenerationOne,
    OpensAnything,
    RemovesPending,
    AlwaysMore,
    ProgressOutOfOrder,
    LosesBodies,
    TransientWhenGone,
    MixesGenerations,
    OneAnswerTooMany,
    RefusesPreparedDays,
    PreparingForgets,
    PreparesOnce,
    NeverPreparesAgain,
}

#[derive(Default)]
struct Extra {
    /// What the last writes said of each delivery.
    last: Vec<DeliveryRow>,
    /// What was ever said to be parked.
    parked: Vec<DeliveryId>,
    removed: bool,
    prepared: bool,
}

struct Flawed(MemoryLog, Flaw, Mutex<Extra>);

#[async_trait]
impl LogWrite for Flawed {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        let mut batch = batch.to_vec();
        for record in &mut batch {
            if let Record::Matched(matched) = record
                && self.1 == Flaw::FirstPartWins
            {
                matched.part = 0;
            }
        }
        let batch = batch.as_slice();
        let mut poisoned = self.0.write(batch).await?;
        if self.1 == Flaw::RefusesPreparedDays {
            poisoned.push(Poisoned { index: 0, reason: "no such day".to_owned() });
        }
        if self.1 == Flaw::PoisonFailsAll && !poisoned.is_empty() {
            return Err(PortError::permanent("poison in the batch"));
        }
        for record in batch {
            if let Record::Settled(settled) = record
                && settled.state == DeliveryState::Parked
            {
                self.2.lock().expect("no panic").parked.push(settled.delivery.id());
            }
            if let Record::Call(call) = record {
                let space = &call.delivery.event.scope.space;
                let all = LogQuery { limit: 1000, ..LogQuery::default() };
                let rows = self.0.deliveries(space, &all).await?.items;
                let row = rows.into_iter().find(|row| row.delivery == call.delivery);
                let row = row.map(|row| DeliveryRow { state: call.state, attempt: call.attempt, ..row });
                self.2.lock().expect("no panic").last.extend(row);
            }
        }
        Ok(poisoned)
    }
}

#[async_trait]
impl Reopen for Flawed {
    async fn reopen(&self, deliveries: &[Asked], now: Timestamp) -> PortResult<()> {
        match self.1 {
            Flaw::ReopensNothing => Ok(()),
            Flaw::ReopensAll => {
                let day = deliveries[0].day;
                let parked = self.2.lock().expect("no panic").parked.clone();
                let all: Vec<_> = parked.into_iter().map(|id| Asked { id, day }).collect();
                self.0.reopen(&all, now).await
            }
            _ => self.0.reopen(deliveries, now).await,
        }
    }
}

#[async_trait]
impl LogRead for Flawed {
    async fn event(&self, space: &SpaceId, id: &EventId) -> PortResult<Option<EventRow>> {
        let mut found = self.0.event(space, id).await?;
        let extra = self.2.lock().expect("no panic");
        if let Some(row) = &mut found {
            if self.1 == Flaw::LastWordWins {
                for known in &mut row.deliveries {
                    let last = extra.last.iter().rev().find(|last| last.id == known.id);
                    *known = last.cloned().unwrap_or_else(|| known.clone());
                }
            }
            for one in &mut row.deliveries {
                match self.1 {
                    Flaw::ForgetsParking if one.state == DeliveryState::Parked => {
                        one.state = DeliveryState::Pending;
                    }
                    Flaw::ParkedForGood if extra.parked.contains(&one.id) => {
                        one.state = DeliveryState::Parked;
                    }
                    _ => {}
                }
            }
            if self.1 == Flaw::ForgetsUnlisted {
                row.unlisted = 0;
            }
            if self.1 == Flaw::MixesGenerations {
                let last = row.deliveries.last().map(|last| last.state);
                row.deliveries.iter_mut().for_each(|one| one.state = last.unwrap_or(one.state));
            }
            if self.1 == Flaw::RemovesPending && extra.removed {
                row.deliveries.clear();
            }
        }
        Ok(found)
    }

    async fn calls(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<CallRecord>> {
        let mut page = self.0.calls(space, &self.query(query)).await?;
        match self.1 {
            Flaw::OldestFirst => page.items.reverse(),
            Flaw::NoCursor => page.next = None,
            Flaw::DoublesCalls => page.total *= 2,
            _ => {}
        }
        Ok(page)
    }

    async fn call(&self, space: &SpaceId, id: CallId) -> PortResult<Option<CallRecord>> {
        let default = SpaceId::new("default").expect("a valid id");
        self.0.call(if self.1 == Flaw::MixesSpaces { &default } else { space }, id).await
    }

    async fn deliveries(&self, space: &SpaceId, query: &LogQuery) -> PortResult<Page<DeliveryRow>> {
        let mut page = self.0.deliveries(space, &self.query(query)).await?;
        match self.1 {
            Flaw::OldestFirst => page.items.reverse(),
            Flaw::NoCursor => page.next = None,
            _ => {}
        }
        Ok(page)
    }

    async fn open_generation(
        &self,
        space: &SpaceId,
        event: &EventId,
        webhook: &WebhookId,
        now: Timestamp,
    ) -> PortResult<Option<DeliveryRow>> {
        let opened = match self.1 {
            Flaw::OpensAnything => {
                let first = WebhookId::new("w1").expect("a valid id");
                self.0.open_generation(space, event, &first, now).await?
            }
            _ => self.0.open_generation(space, event, webhook, now).await?,
        };
        Ok(opened.map(|mut row| {
            if self.1 == Flaw::AlwaysGenerationOne {
                row.delivery.generation = 1;
            }
            row
        }))
    }

    async fn balance(&self, space: Option<&SpaceId>) -> PortResult<StateCounts> {
        let mut counts = self.0.balance(space).await?;
        if self.1 == Flaw::CountsResends {
            counts
                .iter_mut()
                .filter(|(state, _)| *state == DeliveryState::Pending)
                .for_each(|one| one.1 += 1);
        }
        Ok(counts)
    }
}

impl Flawed {
    fn query(&self, query: &LogQuery) -> LogQuery {
        match self.1 {
            Flaw::IgnoresFilters => LogQuery { limit: query.limit, ..LogQuery::default() },
            Flaw::IgnoresOrder => LogQuery { order: Order::default(), ..query.clone() },
            Flaw::IgnoresTried => LogQuery { tried: None, ..query.clone() },
            Flaw::IgnoresNext => LogQuery { next_from: None, next_to: None, ..query.clone() },
            _ => query.clone(),
        }
    }
}

#[async_trait]
impl Retention for Flawed {
    async fn remove_before(&self, before: Day) -> PortResult<Removed> {
        self.2.lock().expect("no panic").removed = true;
        let removed = self.0.remove_before(before).await?;
        Ok(Removed { more: removed.more || self.1 == Flaw::AlwaysMore, ..removed })
    }
}

#[async_trait]
impl Days for Flawed {
    async fn prepare(&self, today: Day) -> PortResult<()> {
        if self.1 == Flaw::PreparingForgets {
            self.0.remove_before(today.minus(-10)).await?;
        }
        let mut extra = self.2.lock().expect("no panic");
        let again = std::mem::replace(&mut extra.prepared, true);
        let refused = match self.1 {
            Flaw::PreparesOnce => again,
            Flaw::NeverPreparesAgain => extra.removed,
            _ => false,
        };
        if refused { Err(PortError::conflict("it is already there")) } else { Ok(()) }
    }
}

#[async_trait]
impl Progresses for Flawed {
    async fn progress(&self, asked: &[Asked]) -> PortResult<Vec<Option<Progress>>> {
        let mut answers = self.0.progress(asked).await?;
        match self.1 {
            Flaw::ProgressOutOfOrder => answers.sort_by_key(Option::is_none),
            Flaw::OneAnswerTooMany => answers.push(None),
            _ => {}
        }
        Ok(answers)
    }
}

#[async_trait]
impl Bodies for Flawed {
    async fn put(&self, day: Day, content: &Content) -> PortResult<BodyRef> {
        let body = self.0.put(day, content).await?;
        Ok(if self.1 == Flaw::LosesBodies { BodyRef { sha256: [0; 32], ..body } } else { body })
    }

    async fn get(&self, body: &BodyRef) -> PortResult<Content> {
        match self.1 {
            Flaw::TransientWhenGone => {
                self.0.get(body).await.map_err(|error| PortError::transient(error.message))
            }
            _ => self.0.get(body).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_fake_log_passes() {
    conformance::log::run(&|_| Arc::new(MemoryLog::new()) as _).await;
    conformance::retention::run(&|_| Arc::new(MemoryLog::new()) as _).await;
    conformance::days::run(&|_| Arc::new(MemoryLog::new()) as _).await;
    conformance::progress::run(&|_| Arc::new(MemoryLog::new()) as _).await;
    conformance::bodies::run(&|_| Arc::new(MemoryLog::new()) as _).await;
}

macro_rules! rejects {
    ($($test:ident: $suite:ident { $($flaw:ident => $case:literal),+ $(,)? })+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            $(
                let harness = |_| Arc::new(Flawed(MemoryLog::new(), Flaw::$flaw, Mutex::default())) as _;
                conformance::$suite::check(&harness).await.assert_rejected($case);
            )+
        }
    )+};
}

rejects! {
    the_suite_for_the_log_rejects_what_is_broken: log {
        LastWordWins => "writing::the_order_of_arrival_does_not_matter",
        LastWordWins => "writing::a_final_state_never_reopens",
        LastWordWins => "writing::a_delivery_only_moves_forward",
        FirstPartWins => "writing::an_event_told_in_parts_is_one_in_any_order",
        DoublesCalls => "writing::what_is_written_twice_is_there_once",
        LastWordWins => "writing::an_end_without_a_call_keeps_the_number_of_attempts",
        PoisonFailsAll => "writing::a_record_that_cannot_be_stored_keeps_no_other_out",
        ForgetsParking => "parking::what_is_parked_says_so_in_any_order",
        ParkedForGood => "parking::what_is_parked_goes_on_with_its_next_attempt_or_ends",
        ReopensAll => "parking::what_was_put_back_is_pending_and_nothing_else_is",
        ReopensNothing => "parking::what_was_put_back_is_pending_and_nothing_else_is",
        ForgetsUnlisted => "reading::an_event_is_shown_with_everything_it_caused",
        LosesBodies => "reading::a_large_content_is_shown_from_the_bodies",
        MixesSpaces => "reading::another_space_sees_nothing",
        OldestFirst => "reading::calls_come_newest_first_and_page_by_page",
        NoCursor => "reading::calls_come_newest_first_and_page_by_page",
        OldestFirst => "reading::deliveries_come_last_changed_first_and_page_by_page",
        NoCursor => "reading::deliveries_come_last_changed_first_and_page_by_page",
        IgnoresFilters => "reading::every_filter_of_calls_filters",
        IgnoresFilters => "reading::every_filter_of_deliveries_filters",
        IgnoresFilters => "filters::every_combination_of_filters_filters",
        IgnoresOrder => "filters::deliveries_come_in_the_order_asked_for_page_by_page",
        NoCursor => "filters::deliveries_come_in_the_order_asked_for_page_by_page",
        IgnoresFilters => "filters::what_waits_is_found_by_its_next_attempt",
        IgnoresTried => "filters::what_waits_is_found_by_its_next_attempt",
        IgnoresNext => "filters::what_waits_is_found_by_its_next_attempt",
        IgnoresFilters => "filters::what_is_rare_among_many_is_found_page_by_page",
        NoCursor => "filters::what_is_rare_among_many_is_found_page_by_page",
        CountsResends => "reading::the_balance_adds_up",
        AlwaysGenerationOne => "generations::a_generation_opens_as_pending_and_counts_up",
        AlwaysGenerationOne => "generations::two_callers_get_two_generations",
        MixesGenerations => "generations::generations_do_not_disturb_each_other",
        OpensAnything => "generations::there_is_no_generation_of_nothing",
    }
    the_suite_for_retention_rejects_what_is_broken: retention {
        RemovesPending => "a_pending_delivery_keeps_its_event_and_its_body",
        AlwaysMore => "what_belongs_to_older_days_is_removed_and_the_rest_stays",
        TransientWhenGone => "what_belongs_to_older_days_is_removed_and_the_rest_stays",
        AlwaysMore => "nothing_to_remove_is_said_at_once",
    }
    the_suite_for_days_rejects_what_is_broken: days {
        RefusesPreparedDays => "a_prepared_day_takes_records",
        PreparingForgets => "preparing_again_changes_nothing",
        PreparesOnce => "many_may_prepare_at_once",
        NeverPreparesAgain => "a_day_that_was_forgotten_can_be_prepared_again",
    }
    the_suite_for_progress_rejects_what_is_broken: progress {
        ProgressOutOfOrder => "each_is_answered_in_the_order_asked",
        OneAnswerTooMany => "nothing_asked_is_nothing_answered",
        ProgressOutOfOrder => "a_wave_of_questions_is_answered_in_one",
    }
    the_suite_for_bodies_rejects_what_is_broken: bodies {
        LosesBodies => "the_same_content_of_a_day_is_the_same_body",
        LosesBodies => "a_content_comes_back_byte_for_byte",
        TransientWhenGone => "what_is_not_there_is_a_permanent_error",
    }
}

/// A log that a kill leaves empty.
struct LosesTheFile;

#[async_trait]
impl Harness<dyn LogAdapter> for LosesTheFile {
    async fn fresh(&self, _: Arc<ManualClock>) -> Arc<dyn LogAdapter> {
        Arc::new(MemoryLog::new())
    }

    async fn reopen(&self, _: Arc<dyn LogAdapter>, _: Arc<ManualClock>) -> Option<Arc<dyn LogAdapter>> {
        Some(Arc::new(MemoryLog::new()))
    }
}

#[async_trait]
impl Harness<dyn Bodies> for LosesTheFile {
    async fn fresh(&self, _: Arc<ManualClock>) -> Arc<dyn Bodies> {
        Arc::new(MemoryLog::new())
    }

    async fn reopen(&self, _: Arc<dyn Bodies>, _: Arc<ManualClock>) -> Option<Arc<dyn Bodies>> {
        Some(Arc::new(MemoryLog::new()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_kill_empties_is_rejected() {
    let log = conformance::log::check(&LosesTheFile).await;
    log.assert_rejected("writing::what_was_written_is_there_after_a_kill");
    let bodies = conformance::bodies::check(&LosesTheFile).await;
    bodies.assert_rejected("what_was_stored_is_there_after_a_kill");
}

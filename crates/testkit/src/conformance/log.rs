//! The suites for the log: [`run`] for writing and reading, [`retention`](super::retention) and
//! [`progress`](super::progress) beside it.

mod filters;
mod generations;
mod parking;
mod reading;
mod writing;

use std::sync::Arc;

use postrider_domain::event::Carried;
use postrider_domain::record::Record;
use postrider_ports::bodies::Bodies;
use postrider_ports::log::{DeliveryRow, EventRow, LogQuery, LogRead, LogWrite, Reopen, Retention};
use postrider_ports::progress::Progresses;

use super::{Bench, Fault, suite};
use crate::builders::{EventBuilder, SPACE, event, event_id, space};

/// Everything the log is for.
pub trait LogAdapter: LogWrite + Reopen + LogRead + Progresses + Retention + Bodies {}

impl<T: LogWrite + Reopen + LogRead + Progresses + Retention + Bodies> LogAdapter for T {}

suite!(
    "the log",
    dyn LogAdapter,
    [
        writing::the_order_of_arrival_does_not_matter,
        writing::an_event_told_in_parts_is_one_in_any_order,
        writing::what_is_written_twice_is_there_once,
        writing::a_final_state_never_reopens,
        writing::a_delivery_only_moves_forward,
        writing::an_end_without_a_call_keeps_the_number_of_attempts,
        writing::a_record_that_cannot_be_stored_keeps_no_other_out,
        writing::what_was_written_is_there_after_a_kill,
        parking::what_is_parked_says_so_in_any_order,
        parking::what_is_parked_goes_on_with_its_next_attempt_or_ends,
        parking::what_was_put_back_is_pending_and_nothing_else_is,
        reading::an_event_is_shown_with_everything_it_caused,
        reading::a_large_content_is_shown_from_the_bodies,
        reading::another_space_sees_nothing,
        reading::calls_come_newest_first_and_page_by_page,
        reading::deliveries_come_last_changed_first_and_page_by_page,
        reading::every_filter_of_calls_filters,
        reading::every_filter_of_deliveries_filters,
        filters::every_combination_of_filters_filters,
        filters::deliveries_come_in_the_order_asked_for_page_by_page,
        filters::what_waits_is_found_by_its_next_attempt,
        filters::what_is_rare_among_many_is_found_page_by_page,
        reading::the_balance_adds_up,
        generations::a_generation_opens_as_pending_and_counts_up,
        generations::two_callers_get_two_generations,
        generations::there_is_no_generation_of_nothing,
        generations::generations_do_not_disturb_each_other,
    ]
);

pub(super) type LogBench<'h> = Bench<'h, dyn LogAdapter>;

/// An event of this id.
pub(super) fn an_event(id: &str) -> EventBuilder {
    event("Entry.publish").id(id)
}

/// Writes records that can be stored.
pub(super) async fn write(on: &Arc<dyn LogAdapter>, records: &[Record]) -> Result<(), Fault> {
    let poisoned = on.write(records).await?;
    if poisoned.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("healthy records were called poisoned: {poisoned:?}")))
}

/// An event that is there.
pub(super) async fn shown(on: &Arc<dyn LogAdapter>, id: &str) -> Result<EventRow, Fault> {
    let found = on.event(&space(SPACE), &event_id(id)).await?;
    found.ok_or_else(|| Fault::new(format!("event {id} is not there")))
}

/// The delivery of an event to a webhook.
pub(super) async fn delivery(
    on: &Arc<dyn LogAdapter>,
    event: &Carried,
    webhook: &str,
    generation: u32,
) -> Result<DeliveryRow, Fault> {
    let row = shown(on, event.head.id.as_str()).await?;
    let is_it =
        |row: &DeliveryRow| row.delivery.webhook.as_str() == webhook && row.delivery.generation == generation;
    let found = row.deliveries.into_iter().find(is_it);
    found.ok_or_else(|| Fault::new(format!("generation {generation} for {webhook} is not there")))
}

/// A query for everything, up to `limit`.
pub(super) fn all(limit: usize) -> LogQuery {
    LogQuery { limit, ..LogQuery::default() }
}

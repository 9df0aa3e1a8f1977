//! A plain memory of windows passes the suite, and broken ones are rejected by the case that is about what they break.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::windows::{Newest, Opening, Windows};
use postrider_testkit::{ManualClock, conformance};

/// What is wrong with a memory of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    EndsAtOnce,
    EachOpensItsOwn,
    WindowNeverCloses,
    EndBelongsToIt,
    NextBeginsAtTheEnd,
    ClosesByTheClock,
    RefusesTheOvertaken,
    MixesKeys,
    AnswersBackwards,
    ABatchIsOneRead,
    JoinsTwoEnds,
    LowestRankWins,
    LastRankWins,
    OnlyVersionsRank,
    LosesTheRace,
    KnowsWhatWasJoined,
    MixesEnds,
    ForgetsAtTheEnd,
    NeverForgets,
}

const KEPT: Duration = Duration::from_mins(10);

struct Flawed {
    flaw: Flaw,
    clock: Arc<ManualClock>,
    current: Mutex<HashMap<String, Timestamp>>,
    newest: Mutex<HashMap<(String, Timestamp), Newest>>,
}

impl Flawed {
    fn key(&self, window: &Window) -> (String, Timestamp) {
        let ends_at = if self.flaw == Flaw::MixesEnds { Timestamp::from_unix_ms(0) } else { window.ends_at };
        (window.key.clone(), ends_at)
    }

    fn joins(&self, opening: &Opening, end: Timestamp) -> bool {
        match self.flaw {
            Flaw::EachOpensItsOwn => false,
            Flaw::WindowNeverCloses => true,
            Flaw::EndBelongsToIt => opening.at <= end,
            Flaw::ClosesByTheClock => self.clock.now() < end,
            Flaw::RefusesTheOvertaken => {
                opening.at < end && opening.at >= end.minus(opening.ends_at.since(opening.at))
            }
            _ => opening.at < end,
        }
    }

    fn outranks(&self, new: &Rank, known: &Rank) -> bool {
        match self.flaw {
            Flaw::LowestRankWins => new < known,
            Flaw::LastRankWins => true,
            Flaw::OnlyVersionsRank => new.version > known.version,
            _ => new > known,
        }
    }

    fn forgotten(&self, window: &Window) -> bool {
        let kept = if self.flaw == Flaw::ForgetsAtTheEnd { Duration::ZERO } else { KEPT };
        self.flaw != Flaw::NeverForgets && self.clock.now() >= window.ends_at.plus(kept)
    }
}

#[async_trait]
impl Windows for Flawed {
    async fn join(&self, openings: &[Opening]) -> PortResult<Vec<Timestamp>> {
        let before = self.current.lock().expect("no panic").clone();
        let mut ends = Vec::new();
        for opening in openings {
            let key = if self.flaw == Flaw::MixesKeys { String::new() } else { opening.key.clone() };
            let current = match self.flaw {
                Flaw::ABatchIsOneRead => before.get(&key).copied(),
                _ => self.current.lock().expect("no panic").get(&key).copied(),
            };
            if self.flaw == Flaw::JoinsTwoEnds {
                tokio::task::yield_now().await;
            }
            let end = match current.filter(|end| self.joins(opening, *end)) {
                Some(end) => end,
                None if self.flaw == Flaw::EndsAtOnce => opening.at,
                None => match current.filter(|_| self.flaw == Flaw::NextBeginsAtTheEnd) {
                    Some(last) => last.plus(opening.ends_at.since(opening.at)),
                    None => opening.ends_at,
                },
            };
            self.current.lock().expect("no panic").insert(key, end);
            ends.push(end);
        }
        if self.flaw == Flaw::AnswersBackwards {
            ends.reverse();
        }
        Ok(ends)
    }

    async fn register(&self, confirmed: &[(Window, DeliveryId)]) -> PortResult<()> {
        for (window, delivery) in confirmed {
            let key = self.key(window);
            let known = self.newest.lock().expect("no panic").get(&key).cloned();
            if self.flaw == Flaw::LosesTheRace {
                tokio::task::yield_now().await;
            }
            if known.is_none_or(|known| self.outranks(&window.rank, &known.rank)) {
                let newest = Newest { rank: window.rank.clone(), delivery: *delivery };
                self.newest.lock().expect("no panic").insert(key, newest);
            }
        }
        Ok(())
    }

    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>> {
        let known = self.newest.lock().expect("no panic");
        let find = |window: &Window| match known.get(&self.key(window)) {
            found if !self.forgotten(window) && found.is_some() => found.cloned(),
            _ if self.flaw == Flaw::KnowsWhatWasJoined => known.values().next().cloned(),
            _ => None,
        };
        Ok(windows.iter().map(find).collect())
    }
}

async fn check(flaw: Flaw) -> conformance::Report {
    let make = move |clock| -> Arc<dyn Windows> {
        Arc::new(Flawed { flaw, clock, current: Mutex::default(), newest: Mutex::default() })
    };
    conformance::windows::check(&make).await
}

#[tokio::test(start_paused = true)]
async fn a_plain_memory_of_windows_passes() {
    check(Flaw::None).await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_windows_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::EndsAtOnce, "the_first_event_opens_its_window"),
        (Flaw::EachOpensItsOwn, "an_event_joins_until_the_window_ends"),
        (Flaw::WindowNeverCloses, "at_its_end_a_window_is_over_and_the_next_begins"),
        (Flaw::EndBelongsToIt, "at_its_end_a_window_is_over_and_the_next_begins"),
        (Flaw::NextBeginsAtTheEnd, "at_its_end_a_window_is_over_and_the_next_begins"),
        (Flaw::ClosesByTheClock, "a_late_event_joins_the_window_of_its_acceptance"),
        (Flaw::RefusesTheOvertaken, "an_event_from_before_the_window_joins_it"),
        (Flaw::MixesKeys, "each_key_has_windows_of_its_own"),
        (Flaw::AnswersBackwards, "each_key_has_windows_of_its_own"),
        (Flaw::ABatchIsOneRead, "equal_keys_in_one_batch_share_one_window"),
        (Flaw::JoinsTwoEnds, "all_who_join_at_once_agree_on_one_end"),
        (Flaw::LowestRankWins, "the_highest_rank_is_the_newest_in_any_order"),
        (Flaw::LastRankWins, "the_highest_rank_is_the_newest_in_any_order"),
        (Flaw::OnlyVersionsRank, "rank_is_decided_by_version_then_time_then_id"),
        (Flaw::LosesTheRace, "of_many_registered_at_once_the_highest_rank_stays"),
        (Flaw::KnowsWhatWasJoined, "an_unknown_window_has_no_newest"),
        (Flaw::MixesEnds, "windows_of_one_key_are_told_apart_by_their_end"),
        (Flaw::ForgetsAtTheEnd, "the_newest_is_kept_for_ten_minutes_after_the_end"),
        (Flaw::NeverForgets, "the_newest_is_kept_for_ten_minutes_after_the_end"),
    ] {
        check(flaw).await.assert_rejected(case);
    }
}

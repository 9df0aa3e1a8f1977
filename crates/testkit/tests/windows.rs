//! A plain memory of windows passes the suite, and broken ones are rejected by the case that is about what they break.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::coalesce::{Rank, Ranking, Window};
use postrider_domain::gathering::{LISTED, LISTED_BYTES};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::windows::{Coalesced, CoalescedEvent, Entry, Newest, Opening, Windows};
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
    TimesDoNotRank,
    NoVersionIsOldest,
    ComparesVersionsOfAll,
    IsRankedAnew,
    LosesTheRace,
    KnowsWhatWasJoined,
    MixesEnds,
    CountsCopies,
    ListsAsTheyCome,
    ListsWithoutEnd,
    ListsThatManyWhateverTheirSize,
    ForgetsAtTheEnd,
    NeverForgets,
}

const KEPT: Duration = Duration::from_mins(10);

struct Flawed {
    flaw: Flaw,
    clock: Arc<ManualClock>,
    current: Mutex<HashMap<String, Timestamp>>,
    entries: Mutex<HashMap<(String, Timestamp), Vec<Entry>>>,
    rankings: Mutex<HashMap<(String, Timestamp), Ranking>>,
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

    fn compare(&self, new: &Rank, known: &Rank, by: Ranking) -> Ordering {
        match self.flaw {
            Flaw::LowestRankWins => known.compare(new, by),
            Flaw::LastRankWins => Ordering::Greater,
            Flaw::OnlyVersionsRank => new.version.cmp(&known.version),
            Flaw::TimesDoNotRank => new.version.cmp(&known.version).then(new.event.cmp(&known.event)),
            _ => new.compare(known, by),
        }
    }

    fn ranking(&self, window: &Window, entries: &[Entry]) -> Ranking {
        let has = |some: bool| entries.iter().any(|one| one.window.rank.version.is_some() == some);
        let is_of_many = self.flaw != Flaw::ComparesVersionsOfAll && !window.is_of_one_resource();
        let is_mixed = self.flaw != Flaw::NoVersionIsOldest && has(true) && has(false);
        let now = if is_of_many || is_mixed { Ranking::Time } else { Ranking::Version };
        let mut rankings = self.rankings.lock().expect("no panic");
        if self.flaw == Flaw::IsRankedAnew { now } else { *rankings.entry(self.key(window)).or_insert(now) }
    }

    fn newest_of(&self, window: &Window, entries: &[Entry]) -> Option<Newest> {
        let ranking = self.ranking(window, entries);
        let newest = entries.iter().reduce(|best, one| {
            let is_newer = self.compare(&one.window.rank, &best.window.rank, ranking).is_gt();
            if is_newer { one } else { best }
        })?;
        Some(Newest { rank: newest.window.rank.clone(), delivery: newest.delivery, ranking })
    }

    fn coalesced_of(&self, entries: &[Entry]) -> Coalesced {
        let mut counted: Vec<&Entry> = Vec::new();
        for entry in entries {
            let is_copy = counted.iter().any(|one| one.delivery == entry.delivery);
            if !is_copy || self.flaw == Flaw::CountsCopies {
                counted.push(entry);
            }
        }
        let mut events: Vec<CoalescedEvent> = Vec::new();
        for entry in &counted {
            let weight: usize = events.iter().map(CoalescedEvent::weight).sum();
            let fits = weight + entry.event.weight() <= LISTED_BYTES;
            let is_room = match self.flaw {
                Flaw::ListsWithoutEnd => true,
                Flaw::ListsThatManyWhateverTheirSize => events.len() < LISTED,
                _ => events.len() < LISTED && fits,
            };
            if is_room {
                events.push(entry.event.clone());
            }
        }
        let count = counted.len() as u64;
        if self.flaw == Flaw::ListsAsTheyCome {
            Coalesced { count, events }
        } else {
            Coalesced::new(count, events)
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

    async fn register(&self, confirmed: &[Entry]) -> PortResult<()> {
        for entry in confirmed {
            let key = self.key(&entry.window);
            let mut entries = self.entries.lock().expect("no panic").get(&key).cloned().unwrap_or_default();
            if self.flaw == Flaw::LosesTheRace {
                tokio::task::yield_now().await;
            }
            entries.push(entry.clone());
            self.entries.lock().expect("no panic").insert(key, entries);
        }
        Ok(())
    }

    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>> {
        let known = self.entries.lock().expect("no panic");
        let find = |window: &Window| match known.get(&self.key(window)) {
            Some(entries) if !self.forgotten(window) => self.newest_of(window, entries),
            _ if self.flaw == Flaw::KnowsWhatWasJoined => self.newest_of(window, known.values().next()?),
            _ => None,
        };
        Ok(windows.iter().map(find).collect())
    }

    async fn coalesced(&self, windows: &[Window]) -> PortResult<Vec<Option<Coalesced>>> {
        let known = self.entries.lock().expect("no panic");
        let find = |window: &Window| {
            let entries = known.get(&self.key(window)).filter(|_| !self.forgotten(window))?;
            Some(self.coalesced_of(entries))
        };
        Ok(windows.iter().map(find).collect())
    }
}

async fn check(flaw: Flaw) -> conformance::Report {
    let make = move |clock| -> Arc<dyn Windows> {
        let (current, entries, rankings) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Flawed { flaw, clock, current, entries, rankings })
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
        (Flaw::OnlyVersionsRank, "versions_rank_first_then_times_then_ids"),
        (Flaw::TimesDoNotRank, "without_versions_times_rank_first_then_ids"),
        (Flaw::NoVersionIsOldest, "where_some_have_no_version_times_rank_first"),
        (Flaw::ComparesVersionsOfAll, "versions_of_many_resources_are_not_compared_before_times"),
        (Flaw::IsRankedAnew, "how_a_window_is_ranked_is_settled_when_it_is_first_asked"),
        (Flaw::LosesTheRace, "of_many_registered_at_once_the_highest_rank_stays"),
        (Flaw::KnowsWhatWasJoined, "an_unknown_window_has_no_newest"),
        (Flaw::MixesEnds, "windows_of_one_key_are_told_apart_by_their_end"),
        (Flaw::CountsCopies, "a_window_lists_what_it_gathered_and_each_delivery_once"),
        (Flaw::ListsAsTheyCome, "a_window_lists_what_it_gathered_and_each_delivery_once"),
        (Flaw::ListsWithoutEnd, "a_list_is_bounded_and_its_count_is_not"),
        (Flaw::ListsThatManyWhateverTheirSize, "a_list_is_bounded_and_its_count_is_not"),
        (Flaw::ForgetsAtTheEnd, "what_is_gathered_is_kept_for_ten_minutes_after_the_end"),
        (Flaw::NeverForgets, "what_is_gathered_is_kept_for_ten_minutes_after_the_end"),
    ] {
        check(flaw).await.assert_rejected(case);
    }
}

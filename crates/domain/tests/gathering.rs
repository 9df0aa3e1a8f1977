//! What a window gathers: one newest, whatever the events tell of themselves and in which order they come, and a list.

use std::cmp::Ordering;

use postrider_domain::coalesce::{Rank, Ranking, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::gathering::{COUNTED, CoalescedEvent, Gathering, LISTED, LISTED_BYTES};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use proptest::prelude::*;

const DOCUMENT: &str = "s/master/w/Entry/1";
const WEBHOOK: &str = "s/master/w";

fn rank(version: Option<i64>, at: i64, event: &str) -> Rank {
    let event = EventId::new(event).expect("an id");
    Rank { version, occurred_at: Timestamp::from_unix_ms(at), event }
}

fn delivery(rank: &Rank) -> DeliveryId {
    let scope = Scope { space: SpaceId::new("s").expect("a space"), environment: EnvironmentId::master() };
    DeliveryId::derive(&scope, &rank.event, &WebhookId::new("w").expect("a webhook"), 0)
}

fn told(rank: &Rank) -> CoalescedEvent {
    CoalescedEvent {
        id: rank.event.clone(),
        event_type: EventType::new("Entry").expect("a type"),
        action: Action::new("publish").expect("an action"),
        resource: "1".into(),
        occurred_at: rank.occurred_at,
    }
}

fn enter(gathering: &mut Gathering, key: &str, rank: &Rank) {
    let window = Window { key: key.into(), ends_at: Timestamp::from_unix_ms(20_000), rank: rank.clone() };
    gathering.enter(&window, delivery(rank), &told(rank), true);
}

/// The newest of these, all there before anybody asks.
fn newest(key: &str, ranks: &[Rank]) -> Rank {
    let mut gathering = Gathering::default();
    for rank in ranks {
        enter(&mut gathering, key, rank);
    }
    gathering.newest().expect("there is one").rank
}

#[test]
fn versions_decide_where_every_event_has_one() {
    let (old, new) = (rank(Some(4), 9, "z"), rank(Some(5), 1, "a"));
    for order in [[old.clone(), new.clone()], [new.clone(), old]] {
        assert_eq!(newest(DOCUMENT, &order), new, "though it says that it happened before");
    }
}

#[test]
fn an_unpublish_without_a_version_does_not_lose_to_a_publish_with_one() {
    let (publish, unpublish) = (rank(Some(5), 1, "publish"), rank(None, 2, "unpublish"));
    assert_eq!(newest(DOCUMENT, &[publish.clone(), unpublish.clone()]), unpublish);
    assert_eq!(newest(DOCUMENT, &[unpublish.clone(), publish.clone()]), unpublish);
    let again = rank(Some(6), 3, "publish-again");
    assert_eq!(newest(DOCUMENT, &[again.clone(), publish, unpublish]), again);
}

#[test]
fn versions_of_two_resources_are_not_compared() {
    let (first, then) = (rank(Some(50), 1, "a"), rank(Some(3), 2, "b"));
    assert_eq!(newest(WEBHOOK, &[first.clone(), then.clone()]), then);
    assert_eq!(newest(DOCUMENT, &[first.clone(), then]), first);
}

#[test]
fn a_delivery_that_registers_twice_counts_once_and_a_list_ends() {
    let mut gathering = Gathering::default();
    for at in (0..150).chain(0..150) {
        enter(&mut gathering, DOCUMENT, &rank(None, at, &format!("e{at}")));
    }
    let coalesced = gathering.coalesced();
    assert_eq!((coalesced.count, coalesced.events.len()), (150, LISTED));
    assert!(gathering.weight() < LISTED_BYTES + 48 * COUNTED + 1025);
}

/// Whether each of these would be sent if it asked now.
fn sent(gathering: &mut Gathering, ranks: &[&Rank]) -> Vec<bool> {
    let newest = gathering.newest().expect("there is one");
    ranks.iter().map(|rank| !newest.supersedes(rank, delivery(rank))).collect()
}

/// Were the window ranked by time from then on, the version would be dropped for a delivery that was dropped for it.
#[test]
fn a_late_event_without_a_version_changes_nothing_for_the_others_and_is_sent_itself() {
    let (low, high, late) = (rank(Some(4), 3, "low"), rank(Some(5), 1, "high"), rank(None, 2, "late"));
    let mut gathering = Gathering::default();
    enter(&mut gathering, DOCUMENT, &low);
    enter(&mut gathering, DOCUMENT, &high);
    assert_eq!(sent(&mut gathering, &[&low]), [false]);
    enter(&mut gathering, DOCUMENT, &late);
    assert_eq!(sent(&mut gathering, &[&low, &high, &late]), [false, true, true]);
}

fn some_rank() -> impl Strategy<Value = Rank> {
    // Few values, so that many are equal.
    (prop::option::of(0..4i64), 0..4i64, "[a-f]").prop_map(|(version, at, event)| rank(version, at, &event))
}

fn ranking() -> impl Strategy<Value = Ranking> {
    prop_oneof![Just(Ranking::Version), Just(Ranking::Time)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn each_ranking_is_a_total_order(a in some_rank(), b in some_rank(), c in some_rank(), by in ranking()) {
        prop_assert_eq!(a.compare(&b, by), b.compare(&a, by).reverse());
        prop_assert_eq!(a.compare(&b, by) == Ordering::Equal, a == b);
        if a.compare(&b, by).is_le() && b.compare(&c, by).is_le() {
            prop_assert!(a.compare(&c, by).is_le());
        }
    }

    /// Each delivery asks once, at any time, also before others and before itself is known. Whoever is dropped is dropped for
    /// one that is sent, at the end of a chain.
    #[test]
    fn however_they_come_and_ask_somebody_is_sent(
        ranks in prop::collection::vec(some_rank(), 1..6),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..16),
        key in prop_oneof![Just(DOCUMENT), Just(WEBHOOK)],
    ) {
        // One event has one rank.
        let mut distinct: Vec<Rank> = Vec::new();
        for rank in ranks {
            if distinct.iter().all(|one| one.event != rank.event) {
                distinct.push(rank);
            }
        }
        let mut gathering = Gathering::default();
        let mut sent: Vec<Option<bool>> = vec![None; distinct.len()];
        let ask = |gathering: &mut Gathering, rank: &Rank| {
            gathering.newest().is_none_or(|newest| !newest.supersedes(rank, delivery(rank)))
        };
        for (which, asks) in steps {
            let at = which.index(distinct.len());
            if asks && sent[at].is_none() {
                // Nobody knows a window that is empty, so there is nobody to ask.
                let known = gathering.coalesced().count > 0;
                sent[at] = Some(!known || ask(&mut gathering, &distinct[at]));
            } else {
                enter(&mut gathering, key, &distinct[at]);
            }
        }
        for rank in &distinct {
            enter(&mut gathering, key, rank);
        }
        for (at, rank) in distinct.iter().enumerate() {
            if sent[at].is_none() {
                sent[at] = Some(ask(&mut gathering, rank));
            }
        }
        prop_assert!(sent.contains(&Some(true)), "{distinct:?}");
    }

    /// All there before the first asks: exactly one is sent.
    #[test]
    fn a_window_that_is_complete_sends_one(ranks in prop::collection::vec(some_rank(), 1..8), key in prop_oneof![Just(DOCUMENT), Just(WEBHOOK)]) {
        let mut distinct: Vec<Rank> = Vec::new();
        for rank in ranks {
            if distinct.iter().all(|one| one.event != rank.event) {
                distinct.push(rank);
            }
        }
        let mut gathering = Gathering::default();
        for rank in &distinct {
            enter(&mut gathering, key, rank);
        }
        let newest = gathering.newest().expect("there is one");
        let sent = distinct.iter().filter(|rank| !newest.supersedes(rank, delivery(rank))).count();
        prop_assert_eq!(sent, 1);
        prop_assert_eq!(gathering.coalesced().count, distinct.len() as u64);
    }
}

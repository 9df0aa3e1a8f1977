//! Two processes whose clocks are ten minutes apart: what is promised then. Nothing is lost and no limit is exceeded; what
//! waits may wait ten minutes longer, and what was in flight may be called once more.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_redis::{RedisBreakers, RedisClaims, RedisMarks, RedisRates, RedisWindows};
use postrider_domain::delivery::{DeliveryState, Progress};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::claims::{Claimed, Claims};
use postrider_ports::limits::{Breakers, Rates};
use postrider_ports::progress::Marks;
use postrider_ports::windows::{Opening, Windows};
use postrider_testkit::builders::{event_id, space, webhook_id};
use postrider_testkit::{ManualClock, START};

use super::{Bench, SECOND, delivery};

const APART: Duration = Duration::from_secs(600);

/// A clock that is right, one ahead of it, and one behind.
fn clocks() -> [(Arc<ManualClock>, Timestamp); 3] {
    [START, START.plus(APART), START.minus(APART)].map(|now| (Arc::new(ManualClock::at(now)), now))
}

/// Every way in which one process does something and another looks.
fn pairs() -> Vec<[(Arc<ManualClock>, Timestamp); 2]> {
    let all = || clocks().into_iter();
    all().flat_map(|one| all().map(move |other| [one.clone(), other])).filter(|[a, b]| a.1 != b.1).collect()
}

#[tokio::test]
async fn an_id_that_was_committed_is_known_to_all() {
    for [(one, now), (other, later)] in pairs() {
        let bench = Bench::start().await;
        let [first, second] = [one, other].map(|clock| RedisClaims::new(Arc::clone(&bench.redis), clock));
        first.begin(true).await.expect("the server is there");
        let wanted = [(event_id("e"), [1; 32])];
        first.claim(&space("s"), &wanted, now).await.expect("the server is there");
        first.commit(&space("s"), &wanted, now).await.expect("the server is there");
        let again = second.claim(&space("s"), &wanted, later).await.expect("the server is there");
        assert_eq!(again, [Claimed::Committed { accepted_at: now }]);
        let other = second.claim(&space("s"), &[(event_id("e"), [2; 32])], later).await;
        assert_eq!(other.expect("the server is there"), [Claimed::OtherBody]);
    }
}

#[tokio::test]
async fn a_mark_is_seen_as_it_is_or_not_at_all() {
    for [(one, _), (other, _)] in pairs() {
        let bench = Bench::start().await;
        let [first, second] = [one, other].map(|clock| RedisMarks::new(Arc::clone(&bench.redis), clock));
        let done = Progress { state: DeliveryState::Delivered, attempt: 3 };
        first.mark(&[(delivery(), done)]).await.expect("the server is there");
        let seen = second.marked(&[delivery()]).await.expect("the server is there");
        // Not at all: then the log answers.
        assert!(seen == [Some(done)] || seen == [None], "{seen:?}");
    }
}

#[tokio::test]
async fn a_window_ends_late_by_the_difference_at_most_and_never_in_the_past_of_its_event() {
    for [(one, now), (other, later)] in pairs() {
        let bench = Bench::start().await;
        let [first, second] = [one, other].map(|clock| RedisWindows::new(Arc::clone(&bench.redis), clock));
        let opening =
            |at: Timestamp| Opening { key: "s/master/w".to_owned(), at, ends_at: at.plus(20 * SECOND) };
        first.join(&[opening(now)]).await.expect("the server is there");
        let ends = second.join(&[opening(later)]).await.expect("the server is there")[0];
        let wait = ends.since(later);
        assert!(ends > later && wait <= 2 * APART + 20 * SECOND, "it ends {wait:?} after its event");
    }
}

#[tokio::test]
async fn a_limit_is_never_exceeded_and_nobody_starves_for_longer_than_the_bucket_is_kept() {
    let limit = RateLimit { calls: 20, per: SECOND };
    for [(one, _), (other, _)] in pairs() {
        let bench = Bench::start().await;
        let rates = [&one, &other].map(|clock| RedisRates::new(Arc::clone(&bench.redis), clock.clone()));
        let mut granted = 0;
        // Both ask as often as they like for the length of one period.
        for _ in 0..10 {
            for rate in &rates {
                let leased = rate.lease(&space("s"), &webhook_id("w"), limit, 20).await;
                granted += leased.expect("the server is there").granted;
            }
            one.advance(SECOND / 10);
            other.advance(SECOND / 10);
        }
        assert!((1..=limit.calls).contains(&granted), "{granted} calls in a second");
        // What a clock that is ahead left behind is swept by the server's own time, a minute after the period.
        let mut terminal = bench.terminal().await;
        let asked = redis::cmd("PTTL").arg("postrider:{s}:bucket:w").query_async(&mut terminal).await;
        let left: i64 = asked.expect("the server tells");
        assert!((1..=61_000).contains(&left), "{left} ms");
    }
}

#[tokio::test]
async fn an_open_breaker_is_probed_early_or_late_by_the_difference_and_closes_for_all() {
    for [(one, now), (other, later)] in pairs() {
        let bench = Bench::start().await;
        let [first, second] =
            [&one, &other].map(|clock| RedisBreakers::new(Arc::clone(&bench.redis), clock.clone()));
        let (s, w) = (space("s"), webhook_id("w"));
        let until = now.plus(30 * SECOND);
        first.open(&s, &w, until).await.expect("the server is there");
        other.set(until.max(later));
        assert!(until.since(later) <= 2 * APART + 30 * SECOND);
        let probes = second.probe(&s, &w, until.max(later).plus(SECOND)).await;
        assert!(probes.expect("the server is there"), "its time has come by the clock of who asks");
        second.close(&s, &w).await.expect("the server is there");
        let closed = first.breakers(&[(s, w)]).await.expect("the server is there");
        assert_eq!(closed, [None]);
    }
}

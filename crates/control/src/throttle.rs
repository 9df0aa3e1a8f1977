//! How often somebody may try tokens, and how often a token may ask.
//!
//! Both are leaky buckets told as one instant per key: when the bucket will be full again (the generic cell rate algorithm
//! of ITU-T I.371, annex A). What a key was refused costs it nothing, so whoever waits as told is let in.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::id::TokenId;
use postrider_ports::clock::Clock;

/// Refused sign-ins that an address may have in a row: a person who pastes the wrong thing, a job with a stale token.
const GUESSES: u32 = 20;
/// One more is let through after each: 28,800 guesses a day at 256 bits each find nothing.
const GUESS_EVERY: Duration = Duration::from_secs(3);
/// How long a token that was valid may still pass from an address that is throttled: it may be a proxy with many behind it.
const BELIEVED: Duration = Duration::from_mins(10);
/// A token may save up so many seconds of requests: a client that lists and then writes does so in bursts.
const SAVED_UP: u32 = 2;
/// How many addresses, tokens and valid hashes are remembered each: about 100 bytes apiece, so 3 MB for all three.
const REMEMBERED: usize = 10_000;

/// What one process remembers of who asked.
pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// A sign-in that was let in to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Knock {
    /// Whose guess it counts as until it turns out to be none.
    charged: Option<IpAddr>,
}

struct State {
    guesses: Buckets<IpAddr>,
    requests: Buckets<TokenId>,
    /// Hashes of tokens that were found valid, until when they are believed.
    valid: Instants<[u8; 32]>,
}

/// Buckets of one size, one per key.
struct Buckets<K> {
    burst: u32,
    every: Duration,
    full_at: Instants<K>,
}

/// An instant to come for each of a bounded number of keys.
struct Instants<K> {
    most: usize,
    of: HashMap<K, Duration>,
    order: BTreeSet<(Duration, K)>,
}

impl Throttle {
    /// Tokens may make so many requests per second.
    pub(crate) fn new(clock: Arc<dyn Clock>, requests_per_second: u32) -> Self {
        let rate = requests_per_second.max(1);
        let requests = Buckets::new(rate.saturating_mul(SAVED_UP), Duration::from_secs(1) / rate, REMEMBERED);
        let guesses = Buckets::new(GUESSES, GUESS_EVERY, REMEMBERED);
        Self { clock, state: Mutex::new(State { guesses, requests, valid: Instants::new(REMEMBERED) }) }
    }

    /// Somebody at this address shows a token with this hash; `None` is a text that no token can be. `Err` is how long to
    /// wait before it is looked up. Without an address nothing is counted.
    pub(crate) fn knock(&self, peer: Option<IpAddr>, hash: Option<&[u8; 32]>) -> Result<Knock, Duration> {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        state.valid.forget_until(now);
        let believed = hash.is_some_and(|hash| state.valid.of.contains_key(hash));
        let Some(network) = peer.map(network).filter(|_| !believed) else {
            return Ok(Knock { charged: None });
        };
        // Charged before it is looked up, so that a thousand at the same instant are not a thousand guesses.
        state.guesses.take(network, now)?;
        Ok(Knock { charged: Some(network) })
    }

    /// The token is valid: it was no guess, and it is believed from now on.
    pub(crate) fn was_valid(&self, knock: Knock, hash: [u8; 32]) {
        let until = self.clock.monotonic().saturating_add(BELIEVED);
        let mut state = self.lock();
        state.give_back(knock);
        state.valid.set(hash, until);
    }

    /// The token is not valid, or not any more: it stays counted, and is not believed.
    pub(crate) fn was_refused(&self, hash: &[u8; 32]) {
        self.lock().valid.forget(hash);
    }

    /// The token could not be looked up, which is nobody's guess.
    pub(crate) fn was_not_answered(&self, knock: Knock) {
        self.lock().give_back(knock);
    }

    /// A token makes a request. `Err` is how long to wait.
    pub(crate) fn request(&self, token: &TokenId) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        self.lock().requests.take(token.clone(), now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give_back(&mut self, knock: Knock) {
        if let Some(network) = knock.charged {
            self.guesses.give_back(&network);
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Buckets<K> {
    fn new(burst: u32, every: Duration, most: usize) -> Self {
        Self { burst, every, full_at: Instants::new(most) }
    }

    /// Takes one from a key's bucket, or says how long to wait for the next. When too many keys are remembered, the one
    /// whose bucket is nearest to full is forgotten: it loses least.
    fn take(&mut self, key: K, now: Duration) -> Result<(), Duration> {
        self.full_at.forget_until(now);
        let full_at = self.full_at.of.get(&key).copied().unwrap_or(now);
        let lacking = full_at.saturating_sub(now);
        let allowed = self.every.saturating_mul(self.burst.saturating_sub(1));
        match lacking.checked_sub(allowed) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.full_at.set(key, full_at.saturating_add(self.every));
                Ok(())
            }
        }
    }

    fn give_back(&mut self, key: &K) {
        if let Some(full_at) = self.full_at.of.get(key).copied() {
            self.full_at.set(key.clone(), full_at.saturating_sub(self.every));
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Instants<K> {
    fn new(most: usize) -> Self {
        Self { most, of: HashMap::new(), order: BTreeSet::new() }
    }

    fn set(&mut self, key: K, at: Duration) {
        self.forget(&key);
        if self.of.len() >= self.most
            && let Some((_, earliest)) = self.order.pop_first()
        {
            self.of.remove(&earliest);
        }
        self.order.insert((at, key.clone()));
        self.of.insert(key, at);
    }

    fn forget(&mut self, key: &K) {
        if let Some(at) = self.of.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    /// Forgets every instant up to now.
    fn forget_until(&mut self, now: Duration) {
        while let Some((_, key)) = self.order.first().filter(|(at, _)| *at <= now).cloned() {
            self.forget(&key);
        }
    }
}

/// Who an address is: an IPv6 customer has at least 64 bits of addresses (RFC 6177 §2), so those count as one.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use postrider_testkit::ManualClock;
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn throttle() -> (Arc<ManualClock>, Throttle) {
        let clock = Arc::new(ManualClock::new());
        (clock.clone(), Throttle::new(clock, 200))
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn after_twenty_guesses_an_address_has_one_each_three_seconds() {
        let (clock, throttle) = throttle();
        let guess = || {
            throttle.knock(Some(peer("192.0.2.1")), Some(&[9; 32])).map(|_| throttle.was_refused(&[9; 32]))
        };
        for _ in 0..20 {
            assert_eq!(guess(), Ok(()));
        }
        assert_eq!(guess(), Err(GUESS_EVERY));
        clock.advance(GUESS_EVERY.saturating_sub(MS));
        assert_eq!(guess(), Err(MS));
        assert_eq!(throttle.knock(Some(peer("192.0.2.2")), None).map(|_| ()), Ok(()), "another address");
        clock.advance(MS);
        assert_eq!(guess(), Ok(()));
        assert_eq!(guess(), Err(GUESS_EVERY));
    }

    #[test]
    fn a_token_that_was_valid_in_the_last_ten_minutes_passes_from_a_throttled_address() {
        let (clock, throttle) = throttle();
        let good = [1; 32];
        let knock = throttle.knock(Some(peer("192.0.2.1")), Some(&good)).expect("let in");
        throttle.was_valid(knock, good);
        let guess = || throttle.knock(Some(peer("192.0.2.1")), Some(&[9; 32]));
        while guess().is_ok() {}
        let shown = |hash: [u8; 32]| throttle.knock(Some(peer("192.0.2.1")), Some(&hash)).is_ok();
        assert!(shown(good));
        assert!(!shown([2; 32]), "a valid one that this process has not seen");
        clock.advance(BELIEVED.saturating_sub(MS));
        while guess().is_ok() {}
        assert!(shown(good));
        clock.advance(MS);
        while guess().is_ok() {}
        assert!(!shown(good));
    }

    #[test]
    fn a_revoked_token_is_not_believed_any_more() {
        let (_, throttle) = throttle();
        let good = [1; 32];
        throttle.was_valid(Knock { charged: None }, good);
        throttle.was_refused(&good);
        while throttle.knock(Some(peer("192.0.2.1")), Some(&[9; 32])).is_ok() {}
        assert!(throttle.knock(Some(peer("192.0.2.1")), Some(&good)).is_err());
    }

    #[test]
    fn valid_tokens_and_a_store_that_is_away_use_up_nothing() {
        let (_, throttle) = throttle();
        for n in 0..100 {
            let knock = throttle.knock(Some(peer("192.0.2.1")), Some(&[n; 32])).expect("let in");
            if n % 2 == 0 { throttle.was_valid(knock, [n; 32]) } else { throttle.was_not_answered(knock) }
        }
    }

    #[test]
    fn a_token_has_its_rate_and_two_seconds_saved_up() {
        let (clock, throttle) = throttle();
        let (one, other) = (TokenId::new("one").expect("id"), TokenId::new("other").expect("id"));
        for _ in 0..400 {
            assert_eq!(throttle.request(&one), Ok(()));
        }
        assert_eq!(throttle.request(&one), Err(5 * MS));
        assert_eq!(throttle.request(&other), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!((0..1_000).filter(|_| throttle.request(&one).is_ok()).count(), 200);
    }

    #[test]
    fn addresses_of_one_customer_count_as_one() {
        for (text, same) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(peer(text)), peer(same));
        }
    }

    proptest! {
        /// However requests are spread, no window of time holds more than a burst and what it refills.
        #[test]
        fn no_window_holds_more_than_the_rate_allows(
            burst in 1_u32..30,
            every in 1_u64..50,
            gaps in proptest::collection::vec(0_u64..40, 1..300),
        ) {
            let mut buckets = Buckets::new(burst, Duration::from_millis(every), 10);
            let mut now = 0;
            let mut taken = Vec::new();
            for gap in gaps {
                now += gap;
                match buckets.take("key", Duration::from_millis(now)) {
                    Ok(()) => taken.push(now),
                    Err(wait) => {
                        prop_assert!(taken.len() >= burst as usize, "refused too early");
                        prop_assert!(!wait.is_zero() && wait <= Duration::from_millis(every));
                        let just_before = (Duration::from_millis(now) + wait).saturating_sub(Duration::from_nanos(1));
                        prop_assert!(buckets.take("key", just_before).is_err(), "the wait is not the shortest");
                        prop_assert!(buckets.take("key", Duration::from_millis(now) + wait).is_ok());
                        now += u64::try_from(wait.as_millis()).expect("short");
                        taken.push(now);
                    }
                }
            }
            for (from, first) in taken.iter().enumerate() {
                for (to, last) in taken.iter().enumerate().skip(from) {
                    let most = u64::from(burst) + (last - first) / every;
                    prop_assert!((to - from + 1) as u64 <= most, "{taken:?}");
                }
            }
        }

        /// Any keys in any order: memory stays bounded, both views agree, and who comes for the first time displaces only
        /// the one who is nearest to being let in.
        #[test]
        fn the_memory_is_bounded_and_keeps_the_worst(
            steps in proptest::collection::vec((0_u32..40, 0_u64..3), 1..400),
        ) {
            let mut buckets = Buckets::new(3, Duration::from_millis(10), 8);
            let mut now = Duration::ZERO;
            for (key, gap) in steps {
                now += Duration::from_millis(gap);
                let refused = buckets.take(key, now).is_err();
                let Instants { most, of, order } = &buckets.full_at;
                let loses_least = order.first().map(|(_, key)| *key);
                prop_assert!(of.len() <= *most);
                prop_assert_eq!(of.len(), order.len());
                prop_assert!(order.iter().all(|(at, key)| of.get(key) == Some(at)));
                if refused {
                    let stranger = 1_000 + key;
                    prop_assert!(buckets.take(stranger, now).is_ok());
                    prop_assert!(loses_least == Some(key) || buckets.take(key, now).is_err(), "forgotten");
                }
            }
        }
    }
}

//! Who may start a call now: limits per webhook, space, host and in all, a slow start for new webhooks, one small common
//! share for webhooks that time out, and one for those of which nobody knows that they live (DESIGN §4.4). Pure: the present
//! instant is an argument.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;

use crate::settings::ShareSettings;

/// A new webhook may hold this many calls at once; a round of successes doubles it.
const FIRST_WINDOW: usize = 4;
/// A webhook counts as slow for so long after a time-out.
const SLOW_FOR: Duration = Duration::from_secs(60);
/// A webhook with calls under way and no success for so long hangs: far above what a receiver usually takes, far below its
/// deadline.
const HANGS_AFTER: Duration = Duration::from_secs(2);
/// The last of this many parts of all calls, and of those of a space, is for webhooks that are known to live.
const KEPT_PART: usize = 8;
/// Beyond this many webhooks, idle ones are forgotten; they begin with a slow start again.
const REMEMBERED: usize = 16 * 1024;

/// Who is called: everything that shares are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Callee {
    /// The webhook.
    pub(crate) key: Key,
    /// The host of its URL, lower case, without port.
    pub(crate) host: Arc<str>,
}

/// A webhook over all spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Whose it is.
    pub(crate) space: SpaceId,
    /// Which.
    pub(crate) webhook: WebhookId,
}

/// How a call ended, as far as shares care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// No call was made.
    Unused,
    /// The receiver took it.
    Success,
    /// It failed in time.
    Failure,
    /// The deadline passed.
    TimedOut,
}

/// The calls being made, counted.
#[derive(Debug)]
pub(crate) struct Shares {
    limits: ShareSettings,
    total: usize,
    spaces: HashMap<SpaceId, usize>,
    hosts: HashMap<Arc<str>, usize>,
    paces: HashMap<Key, Pace>,
    held: Held,
    /// When which webhook stops being slow, in order.
    slow_until: VecDeque<(Timestamp, Key)>,
    /// When to look whether the calls of a webhook hang; each that has some stands here once.
    looks: BTreeSet<(Timestamp, Key)>,
}

/// Calls held by webhooks of which nobody knows that they live.
#[derive(Debug, Default)]
struct Held {
    /// By slow ones.
    slow: usize,
    /// By unproven ones that are not slow, in all and of each space.
    unproven: usize,
    unproven_of: HashMap<SpaceId, usize>,
}

/// One webhook's part.
#[derive(Debug)]
struct Pace {
    running: usize,
    window: usize,
    /// Successes since the window last grew.
    successes: usize,
    slow_until: Option<Timestamp>,
    /// It has succeeded, and was not slow since.
    proven: bool,
    /// It has calls under way, and none succeeded for a while.
    hangs: bool,
    /// Its last success, or when it was last called after a rest.
    alive_at: Timestamp,
    /// Whether it stands in `looks`.
    watched: bool,
}

impl Shares {
    pub(crate) fn new(limits: ShareSettings) -> Self {
        Self {
            limits,
            total: 0,
            spaces: HashMap::new(),
            hosts: HashMap::new(),
            paces: HashMap::new(),
            held: Held::default(),
            slow_until: VecDeque::new(),
            looks: BTreeSet::new(),
        }
    }

    /// Calls being made.
    pub(crate) fn running(&self) -> usize {
        self.total
    }

    /// Calls of this webhook that are being made.
    pub(crate) fn running_of(&self, key: &Key) -> usize {
        self.paces.get(key).map_or(0, |pace| pace.running)
    }

    /// Whether nobody knows that this webhook lives.
    pub(crate) fn is_doubtful(&mut self, key: &Key, now: Timestamp) -> bool {
        self.look(now);
        self.paces.get(key).is_none_or(Pace::is_doubtful)
    }

    /// Whether anybody at all could start.
    pub(crate) fn any_free(&self) -> bool {
        self.total < self.limits.permits
    }

    /// Whether one more call of this webhook may start.
    pub(crate) fn may_start(&mut self, callee: &Callee, now: Timestamp) -> bool {
        self.forgive(now);
        self.look(now);
        let pace = self.paces.get(&callee.key);
        let (running, window) = pace.map_or((0, self.first_window()), |pace| (pace.running, pace.window));
        self.any_free()
            && running < window
            && count(&self.spaces, &callee.key.space) < self.limits.per_space
            && count(&self.hosts, &callee.host) < self.limits.per_host
            && self.may_be_doubted(pace, &callee.key.space)
    }

    /// Whether one more call may start for all that is not known of the webhook: slow ones share little, unproven ones half of
    /// all and of their space, and none of them takes the last part.
    fn may_be_doubted(&self, pace: Option<&Pace>, space: &SpaceId) -> bool {
        let (limits, held) = (&self.limits, &self.held);
        if pace.is_some_and(|pace| !pace.is_doubtful()) {
            return true;
        }
        let enough = match pace {
            Some(pace) if pace.slow_until.is_some() => held.slow < limits.slow,
            Some(pace) if pace.proven => true,
            _ => {
                held.unproven < limits.permits.div_ceil(2)
                    && count(&held.unproven_of, space) < limits.per_space.div_ceil(2)
            }
        };
        enough
            && self.total < limits.permits - limits.permits / KEPT_PART
            && count(&self.spaces, space) < limits.per_space - limits.per_space / KEPT_PART
    }

    /// A call starts.
    pub(crate) fn start(&mut self, callee: &Callee, now: Timestamp) {
        self.total += 1;
        *self.spaces.entry(callee.key.space.clone()).or_default() += 1;
        *self.hosts.entry(Arc::clone(&callee.host)).or_default() += 1;
        let window = self.first_window();
        let pace = self.paces.entry(callee.key.clone()).or_insert(Pace {
            running: 0,
            window,
            successes: 0,
            slow_until: None,
            proven: false,
            hangs: false,
            alive_at: now,
            watched: false,
        });
        if pace.running == 0 {
            (pace.alive_at, pace.hangs) = (now, false);
        }
        pace.running += 1;
        self.held.add(pace, &callee.key.space, 1);
        if !pace.watched {
            pace.watched = true;
            self.looks.insert((now.plus(HANGS_AFTER), callee.key.clone()));
        }
    }

    /// A call that started is over.
    pub(crate) fn end(&mut self, callee: &Callee, ended: Ended, now: Timestamp) {
        self.total -= 1;
        take_one(&mut self.spaces, &callee.key.space);
        take_one(&mut self.hosts, &callee.host);
        let (first_window, widest) = (self.first_window(), self.limits.per_webhook);
        let Some(pace) = self.paces.get_mut(&callee.key) else { return };
        self.held.take(pace, &callee.key.space, pace.running);
        pace.running -= 1;
        match ended {
            Ended::Unused => {}
            Ended::Failure => pace.successes = 0,
            Ended::Success => {
                (pace.alive_at, pace.proven, pace.hangs) = (now, true, false);
                if pace.running > 0 && !pace.watched {
                    pace.watched = true;
                    self.looks.insert((now.plus(HANGS_AFTER), callee.key.clone()));
                }
                pace.successes += 1;
                if pace.successes >= pace.window {
                    pace.successes = 0;
                    pace.window = (2 * pace.window).min(widest);
                }
            }
            Ended::TimedOut => {
                pace.successes = 0;
                pace.window = first_window.max(self.limits.slow.min(widest));
                let until = now.plus(SLOW_FOR);
                pace.slow_until = Some(until);
                // One entry per webhook and instant is enough to let it go in time.
                if self.slow_until.back().is_none_or(|last| *last != (until, callee.key.clone())) {
                    self.slow_until.push_back((until, callee.key.clone()));
                }
            }
        }
        self.held.add(pace, &callee.key.space, pace.running);
        if self.paces.len() > REMEMBERED {
            self.paces.retain(|_, pace| pace.running > 0 || pace.slow_until.is_some());
        }
    }

    /// Webhooks with calls under way of which none succeeded for a while hang.
    fn look(&mut self, now: Timestamp) {
        while self.looks.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.looks.pop_first() else { return };
            let Some(pace) = self.paces.get_mut(&key) else { continue };
            let at = pace.alive_at.plus(HANGS_AFTER);
            pace.hangs = pace.running > 0 && at <= now;
            pace.watched = pace.running > 0 && now < at;
            if pace.watched {
                self.looks.insert((at, key));
            }
        }
    }

    /// The receiver of this webhook is down: when it returns, it begins like a new one.
    pub(crate) fn restart(&mut self, key: &Key) {
        let first_window = self.first_window();
        if let Some(pace) = self.paces.get_mut(key) {
            pace.window = first_window;
            pace.successes = 0;
        }
    }

    /// Webhooks whose last time-out is long ago are slow no more.
    fn forgive(&mut self, now: Timestamp) {
        while let Some((until, key)) = self.slow_until.pop_front_if(|(until, _)| *until <= now) {
            let first_window = self.first_window();
            if let Some(pace) = self.paces.get_mut(&key).filter(|pace| pace.slow_until == Some(until)) {
                self.held.take(pace, &key.space, pace.running);
                (pace.slow_until, pace.window, pace.proven) = (None, first_window, false);
                self.held.add(pace, &key.space, pace.running);
            }
        }
    }

    fn first_window(&self) -> usize {
        FIRST_WINDOW.min(self.limits.per_webhook)
    }
}

impl Pace {
    fn is_doubtful(&self) -> bool {
        !self.proven || self.hangs || self.slow_until.is_some()
    }
}

impl Held {
    /// So many calls more.
    fn add(&mut self, pace: &Pace, space: &SpaceId, calls: usize) {
        if calls == 0 {
        } else if pace.slow_until.is_some() {
            self.slow += calls;
        } else if !pace.proven {
            self.unproven += calls;
            *self.unproven_of.entry(space.clone()).or_default() += calls;
        }
    }

    /// So many less.
    fn take(&mut self, pace: &Pace, space: &SpaceId, calls: usize) {
        if pace.slow_until.is_some() {
            self.slow -= calls;
        } else if !pace.proven {
            self.unproven -= calls;
            take(&mut self.unproven_of, space, calls);
        }
    }
}

fn count<K: std::hash::Hash + Eq>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or(0)
}

fn take_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    take(counts, key, 1);
}

fn take<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K, how_many: usize) {
    if let Some(held) = counts.get_mut(key) {
        *held -= how_many;
        if *held == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callee(webhook: &str, space: &str, host: &str) -> Callee {
        let key = Key {
            space: SpaceId::new(space).expect("space"),
            webhook: WebhookId::new(webhook).expect("webhook"),
        };
        Callee { key, host: host.into() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000)
    }

    /// Starts as many as may start, and says how many.
    fn fill(shares: &mut Shares, callee: &Callee, now: Timestamp) -> usize {
        let mut started = 0;
        while shares.may_start(callee, now) {
            shares.start(callee, now);
            started += 1;
        }
        started
    }

    fn end_all(shares: &mut Shares, callee: &Callee, how_many: usize, ended: Ended) {
        for _ in 0..how_many {
            shares.end(callee, ended, at(0));
        }
    }

    /// Grows a webhook to its widest.
    fn warm(shares: &mut Shares, callee: &Callee) -> usize {
        let mut widest = 0;
        for _ in 0..12 {
            let started = fill(shares, callee, at(0));
            end_all(shares, callee, started, Ended::Success);
            widest = widest.max(started);
        }
        widest
    }

    #[test]
    fn a_new_webhook_starts_at_four_and_doubles_per_round_of_successes() {
        let mut shares = Shares::new(ShareSettings::default());
        let one = callee("w", "s", "h");
        let mut rounds = Vec::new();
        for _ in 0..9 {
            let started = fill(&mut shares, &one, at(0));
            rounds.push(started);
            end_all(&mut shares, &one, started, Ended::Success);
        }
        assert_eq!(rounds, [4, 8, 16, 32, 64, 128, 256, 480, 480]);
    }

    #[test]
    fn one_that_was_down_starts_anew() {
        let mut shares = Shares::new(ShareSettings::default());
        let (one, other) = (callee("w", "s", "h"), callee("x", "s", "h"));
        assert_eq!((warm(&mut shares, &one), warm(&mut shares, &other)), (480, 480));
        shares.restart(&one.key);
        assert_eq!(fill(&mut shares, &one, at(0)), 4);
        assert_eq!(fill(&mut shares, &other, at(0)), 476);
    }

    #[test]
    fn failures_in_time_do_not_widen() {
        let mut shares = Shares::new(ShareSettings::default());
        let one = callee("w", "s", "h");
        for _ in 0..3 {
            assert_eq!(fill(&mut shares, &one, at(0)), 4);
            end_all(&mut shares, &one, 4, Ended::Failure);
        }
    }

    #[test]
    fn one_webhook_one_space_one_host_and_all_together_have_their_ends() {
        let mut shares = Shares::new(ShareSettings::default());
        let all =
            [callee("a", "s", "h1"), callee("b", "s", "h2"), callee("c", "t", "h1"), callee("d", "t", "h3")];
        for one in &all {
            assert_eq!(warm(&mut shares, one), 480);
        }
        assert_eq!(fill(&mut shares, &all[0], at(0)), 480, "one webhook, and its host is full");
        assert_eq!(fill(&mut shares, &all[2], at(0)), 0, "the host is full");
        assert_eq!(fill(&mut shares, &all[1], at(0)), 80, "the space is full at 560");
        assert_eq!(fill(&mut shares, &all[3], at(0)), 80, "all permits are out at 640");
        assert!(!shares.any_free());
    }

    #[test]
    fn webhooks_that_timed_out_share_sixty_four_for_a_minute() {
        let mut shares = Shares::new(ShareSettings::default());
        let (a, b, healthy) = (callee("a", "s", "1"), callee("b", "s", "2"), callee("c", "t", "3"));
        for one in [&a, &b, &healthy] {
            warm(&mut shares, one);
        }
        for one in [&a, &b] {
            shares.start(one, at(0));
            shares.end(one, Ended::TimedOut, at(0));
        }
        assert_eq!(fill(&mut shares, &a, at(1)), 64);
        assert_eq!(fill(&mut shares, &b, at(1)), 0, "a holds the common share");
        assert_eq!(fill(&mut shares, &healthy, at(1)), 480, "the healthy one is not touched");
        end_all(&mut shares, &a, 10, Ended::Success);
        assert_eq!(fill(&mut shares, &b, at(2)), 10);
        end_all(&mut shares, &b, 10, Ended::Unused);
        end_all(&mut shares, &healthy, 480, Ended::Success);
        assert_eq!(fill(&mut shares, &b, at(61)), 4, "after a minute it starts anew, slowly");
    }

    #[test]
    fn webhooks_of_which_nobody_knows_that_they_live_share_half() {
        let mut shares = Shares::new(ShareSettings::default());
        let alive = [callee("a", "s", "1"), callee("b", "t", "2")];
        for one in &alive {
            warm(&mut shares, one);
        }
        let dead: Vec<Callee> =
            (0..1000).map(|at| callee(&format!("d{at}"), if at % 2 == 0 { "s" } else { "t" }, "d")).collect();
        let of = |space: &str, shares: &mut Shares| {
            let of = dead.iter().filter(|one| one.key.space.as_str() == space);
            of.map(|one| fill(shares, one, at(0))).sum::<usize>()
        };
        assert_eq!(of("s", &mut shares), 280, "half of the share of their space");
        assert_eq!(of("t", &mut shares), 40, "half of all, with those of the other space");
        assert_eq!(fill(&mut shares, &alive[0], at(0)), 280, "the rest of its space's share");
        assert_eq!(fill(&mut shares, &alive[1], at(0)), 40, "the rest of all");
    }

    #[test]
    fn a_webhook_whose_calls_hang_leaves_the_last_eighth_to_those_that_live_and_lets_new_ones_in() {
        let mut shares = Shares::new(ShareSettings::default());
        let (hangs, also, alive) = (callee("h", "s", "1"), callee("i", "t", "2"), callee("l", "t", "3"));
        for one in [&hangs, &also, &alive] {
            warm(&mut shares, one);
            assert!(!shares.is_doubtful(&one.key, at(0)));
        }
        assert_eq!(fill(&mut shares, &hangs, at(10)), 480);
        shares.start(&also, at(10));
        assert!(!shares.is_doubtful(&hangs.key, at(11)), "a second is no sign");
        assert!(shares.is_doubtful(&hangs.key, at(12)) && shares.is_doubtful(&also.key, at(12)));
        assert_eq!(fill(&mut shares, &callee("new", "s", "4"), at(12)), 4, "a new one of its space");
        assert_eq!(fill(&mut shares, &also, at(12)), 560 - 485, "not the last 80");
        assert_eq!(fill(&mut shares, &callee("new", "t", "4"), at(12)), 0, "nor does a new one take them");
        assert_eq!(fill(&mut shares, &alive, at(12)), 80, "they are for those that live");
        shares.end(&hangs, Ended::Success, at(13));
        assert!(!shares.is_doubtful(&hangs.key, at(13)));
        assert!(shares.is_doubtful(&hangs.key, at(15)), "its other calls still hang");
    }

    #[test]
    fn what_ended_leaves_nothing_behind() {
        let mut shares = Shares::new(ShareSettings::default());
        let one = callee("w", "s", "h");
        let started = fill(&mut shares, &one, at(0));
        shares.end(&one, Ended::TimedOut, at(0));
        end_all(&mut shares, &one, started - 1, Ended::Unused);
        assert_eq!((shares.running(), shares.held.slow, shares.held.unproven), (0, 0, 0));
        assert!(shares.spaces.is_empty() && shares.hosts.is_empty() && shares.held.unproven_of.is_empty());
        assert!(shares.may_start(&one, at(61)));
        assert!(shares.slow_until.is_empty());
    }
}

//! Who may start a call now: limits per webhook, space, host and in all, a slow start for new webhooks, and one small
//! common share for webhooks that time out (DESIGN §4.4). Pure: the present instant is an argument.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;

use crate::settings::ShareSettings;

/// A new webhook may hold this many calls at once; a round of successes doubles it.
const FIRST_WINDOW: usize = 4;
/// A webhook counts as slow for so long after a time-out.
const SLOW_FOR: Duration = Duration::from_secs(60);
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// Calls held by slow webhooks.
    slow: usize,
    /// When which webhook stops being slow, in order.
    slow_until: VecDeque<(Timestamp, Key)>,
}

/// One webhook's part.
#[derive(Debug)]
struct Pace {
    running: usize,
    window: usize,
    /// Successes since the window last grew.
    successes: usize,
    slow_until: Option<Timestamp>,
}

impl Shares {
    pub(crate) fn new(limits: ShareSettings) -> Self {
        Self {
            limits,
            total: 0,
            spaces: HashMap::new(),
            hosts: HashMap::new(),
            paces: HashMap::new(),
            slow: 0,
            slow_until: VecDeque::new(),
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

    /// Whether anybody at all could start.
    pub(crate) fn any_free(&self) -> bool {
        self.total < self.limits.permits
    }

    /// Whether one more call of this webhook may start.
    pub(crate) fn may_start(&mut self, callee: &Callee, now: Timestamp) -> bool {
        self.forgive(now);
        let (running, window, slow) =
            self.paces.get(&callee.key).map_or((0, self.first_window(), false), |pace| {
                (pace.running, pace.window, pace.slow_until.is_some())
            });
        self.any_free()
            && running < window
            && (!slow || self.slow < self.limits.slow)
            && count(&self.spaces, &callee.key.space) < self.limits.per_space
            && count(&self.hosts, &callee.host) < self.limits.per_host
    }

    /// A call starts.
    pub(crate) fn start(&mut self, callee: &Callee) {
        self.total += 1;
        *self.spaces.entry(callee.key.space.clone()).or_default() += 1;
        *self.hosts.entry(Arc::clone(&callee.host)).or_default() += 1;
        let window = self.first_window();
        let pace = self.paces.entry(callee.key.clone()).or_insert(Pace {
            running: 0,
            window,
            successes: 0,
            slow_until: None,
        });
        pace.running += 1;
        self.slow += usize::from(pace.slow_until.is_some());
    }

    /// A call that started is over.
    pub(crate) fn end(&mut self, callee: &Callee, ended: Ended, now: Timestamp) {
        self.total -= 1;
        take_one(&mut self.spaces, &callee.key.space);
        take_one(&mut self.hosts, &callee.host);
        let (first_window, widest) = (self.first_window(), self.limits.per_webhook);
        let Some(pace) = self.paces.get_mut(&callee.key) else { return };
        pace.running -= 1;
        self.slow -= usize::from(pace.slow_until.is_some());
        match ended {
            Ended::Unused => {}
            Ended::Failure => pace.successes = 0,
            Ended::Success => {
                pace.successes += 1;
                if pace.successes >= pace.window {
                    pace.successes = 0;
                    pace.window = (2 * pace.window).min(widest);
                }
            }
            Ended::TimedOut => {
                pace.successes = 0;
                pace.window = first_window.max(self.limits.slow.min(widest));
                if pace.slow_until.is_none() {
                    self.slow += pace.running;
                }
                let until = now.plus(SLOW_FOR);
                pace.slow_until = Some(until);
                // One entry per webhook and instant is enough to let it go in time.
                if self.slow_until.back().is_none_or(|last| *last != (until, callee.key.clone())) {
                    self.slow_until.push_back((until, callee.key.clone()));
                }
            }
        }
        if self.paces.len() > REMEMBERED {
            self.paces.retain(|_, pace| pace.running > 0 || pace.slow_until.is_some());
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
                pace.slow_until = None;
                pace.window = first_window;
                self.slow -= pace.running;
            }
        }
    }

    fn first_window(&self) -> usize {
        FIRST_WINDOW.min(self.limits.per_webhook)
    }
}

fn count<K: std::hash::Hash + Eq>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or(0)
}

fn take_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(held) = counts.get_mut(key) {
        *held -= 1;
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
            shares.start(callee);
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
        let (a, b, healthy) = (callee("a", "s", "1"), callee("b", "s", "2"), callee("c", "s", "3"));
        for one in [&a, &b, &healthy] {
            warm(&mut shares, one);
        }
        for one in [&a, &b] {
            shares.start(one);
            shares.end(one, Ended::TimedOut, at(0));
        }
        assert_eq!(fill(&mut shares, &a, at(1)), 64);
        assert_eq!(fill(&mut shares, &b, at(1)), 0, "a holds the common share");
        assert_eq!(fill(&mut shares, &healthy, at(1)), 480, "the healthy one is not touched");
        end_all(&mut shares, &a, 10, Ended::Success);
        assert_eq!(fill(&mut shares, &b, at(2)), 10);
        end_all(&mut shares, &b, 10, Ended::Unused);
        assert_eq!(fill(&mut shares, &b, at(61)), 4, "after a minute it starts anew, slowly");
    }

    #[test]
    fn what_ended_leaves_nothing_behind() {
        let mut shares = Shares::new(ShareSettings::default());
        let one = callee("w", "s", "h");
        let started = fill(&mut shares, &one, at(0));
        shares.end(&one, Ended::TimedOut, at(0));
        end_all(&mut shares, &one, started - 1, Ended::Unused);
        assert_eq!((shares.running(), shares.slow), (0, 0));
        assert!(shares.spaces.is_empty() && shares.hosts.is_empty());
        assert!(shares.may_start(&one, at(61)));
        assert!(shares.slow_until.is_empty());
    }
}

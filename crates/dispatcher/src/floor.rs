//! Where deliveries wait for a permit: shares and room behind one lock, and the permit that is given back by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use tokio::sync::oneshot;

use crate::backlog::Backlog;
use crate::room::Room;
use crate::settings::ShareSettings;
use crate::shares::{Callee, Ended, Key, Shares};

/// Beyond this many webhooks with a known rate, those without a backlog are forgotten.
const REMEMBERED: usize = 16 * 1024;

/// The floor of one worker.
pub(crate) struct Floor {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    shares: Shares,
    room: Room<oneshot::Sender<Permit>>,
    backlogs: HashMap<Key, Backlog>,
}

/// What one who enters meets.
pub(crate) enum Entered {
    /// It may call at once.
    Granted(Permit),
    /// It waits; the permit comes through here.
    Waiting(oneshot::Receiver<Permit>),
    /// There is no room for it.
    Full,
}

/// The right to make one call. Dropped, it is given back as unused.
pub(crate) struct Permit {
    floor: Arc<Floor>,
    callee: Arc<Callee>,
    ended: Ended,
}

impl Floor {
    pub(crate) fn new(limits: ShareSettings, room: usize, clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State { shares: Shares::new(limits), room: Room::new(room), backlogs: HashMap::new() };
        Arc::new(Self { clock, state: Mutex::new(state) })
    }

    /// Asks for a permit.
    pub(crate) fn enter(self: &Arc<Self>, callee: &Arc<Callee>) -> Entered {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.room.waiting_of(&callee.key) == 0 && state.shares.may_start(callee, now) {
            state.start(callee, now);
            return Entered::Granted(self.permit(callee));
        }
        let (its, all) = (state.shares.running_of(&callee.key), state.shares.running());
        let doubtful = state.shares.is_doubtful(&callee.key, now);
        if !state.room.admits(&callee.key, its, all, doubtful) {
            return Entered::Full;
        }
        let (grant, granted) = oneshot::channel();
        state.room.enter(callee, grant);
        Entered::Waiting(granted)
    }

    /// When one that cannot be called now shall come again: when those before it are through, at most at `limit` calls per
    /// second, and not before `earliest`.
    pub(crate) fn put_off(&self, key: &Key, limit: Option<f64>, earliest: Option<Timestamp>) -> Timestamp {
        let now = self.clock.now();
        let mut state = self.lock();
        let (ahead, running) = (state.room.waiting_of(key), state.shares.running_of(key));
        if state.backlogs.len() > REMEMBERED {
            state.backlogs.retain(|_, backlog| !backlog.is_empty(now));
        }
        let backlog = state.backlogs.entry(key.clone()).or_insert_with(|| Backlog::new(now));
        if running == 0 && ahead == 0 && backlog.is_empty(now) {
            backlog.begin(now);
        }
        backlog.put_off((running, ahead), limit, earliest.unwrap_or(now), now)
    }

    /// The receiver of this webhook is down: when it returns, it gets few calls at once at first.
    pub(crate) fn restart(&self, key: &Key) {
        self.lock().shares.restart(key);
    }

    /// How many are being called, and how many wait.
    pub(crate) fn figures(&self) -> (u64, u64) {
        let state = self.lock();
        let count = |some: usize| u64::try_from(some).unwrap_or(u64::MAX);
        (count(state.shares.running()), count(state.room.waiting()))
    }

    fn leave(self: &Arc<Self>, callee: &Callee, ended: Ended) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.shares.end(callee, ended, now);
        if ended != Ended::Unused
            && let Some(backlog) = state.backlogs.get_mut(&callee.key)
        {
            backlog.ended(now);
        }
        let mut refused = Vec::new();
        while state.shares.any_free() {
            let State { shares, room, .. } = &mut *state;
            let Some((callee, waiting)) = room.next(|callee| shares.may_start(callee, now)) else { break };
            // Whoever does not wait any more must not cost a permit.
            if waiting.is_closed() {
                continue;
            }
            state.start(&callee, now);
            refused.extend(waiting.send(self.permit(&callee)).err());
        }
        drop(state);
        // Giving a permit back takes the lock again.
        drop(refused);
    }

    fn permit(self: &Arc<Self>, callee: &Arc<Callee>) -> Permit {
        Permit { floor: Arc::clone(self), callee: Arc::clone(callee), ended: Ended::Unused }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn start(&mut self, callee: &Callee, now: Timestamp) {
        if self.shares.running_of(&callee.key) == 0 {
            match self.backlogs.get_mut(&callee.key) {
                Some(backlog) => backlog.begin(now),
                None => drop(self.backlogs.insert(callee.key.clone(), Backlog::new(now))),
            }
        }
        self.shares.start(callee, now);
    }
}

impl Permit {
    /// The call is over.
    pub(crate) fn finish(mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.floor.leave(&self.callee, self.ended);
    }
}

//! The worker's waiting room: bounded, first come first served per webhook, the webhooks in turn. Pure.
//!
//! A webhook may fill what the others leave free, so one alone gets at most half of the room, two get a third each, and
//! there is always a place for one more: a webhook that hangs cannot keep the others out (DESIGN §4.4). A thousand that hang
//! could: those of which nobody knows that they live find no place once the room is filled to [`DOUBTFUL_EIGHTHS`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::shares::{Callee, Key};

/// Eighths of the room, calls under way included, beyond which no doubtful webhook may wait: less than what waited may hold (a
/// half, so that the retries of others find space), more than one huge fan-out does (a tenth fresh, a quarter bulk).
const DOUBTFUL_EIGHTHS: usize = 3;

/// Those who wait, `T` being how each is called.
#[derive(Debug)]
pub(crate) struct Room<T> {
    capacity: usize,
    lines: HashMap<Key, Line<T>>,
    /// The webhooks that have someone waiting; the first is next.
    turns: VecDeque<Key>,
    waiting: usize,
}

#[derive(Debug)]
struct Line<T> {
    callee: Arc<Callee>,
    waiting: VecDeque<T>,
}

impl<T> Room<T> {
    /// A room for this many, those being called included.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, lines: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }

    /// How many are waiting.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many of one webhook are waiting.
    pub(crate) fn waiting_of(&self, key: &Key) -> usize {
        self.lines.get(key).map_or(0, |line| line.waiting.len())
    }

    /// Whether one more of this webhook may wait, while `its` of it and `all` of all webhooks are being called.
    pub(crate) fn admits(&self, key: &Key, its: usize, all: usize, doubtful: bool) -> bool {
        let held = self.waiting + all;
        self.waiting_of(key) + its < self.capacity.saturating_sub(held)
            && (!doubtful || held < self.capacity / 8 * DOUBTFUL_EIGHTHS)
    }

    /// Lets one wait, behind those of the same webhook.
    pub(crate) fn enter(&mut self, callee: &Arc<Callee>, ticket: T) {
        self.waiting += 1;
        let line = self.lines.entry(callee.key.clone()).or_insert_with(|| {
            self.turns.push_back(callee.key.clone());
            Line { callee: Arc::clone(callee), waiting: VecDeque::new() }
        });
        // The latest settings count: a changed URL changes the host for all who wait.
        if !Arc::ptr_eq(&line.callee, callee) {
            line.callee = Arc::clone(callee);
        }
        line.waiting.push_back(ticket);
    }

    /// Takes out the next whose webhook may start; each webhook is asked at most once.
    pub(crate) fn next(&mut self, mut may_start: impl FnMut(&Callee) -> bool) -> Option<(Arc<Callee>, T)> {
        for _ in 0..self.turns.len() {
            let key = self.turns.pop_front()?;
            let Some(line) = self.lines.get_mut(&key) else { continue };
            if !may_start(&line.callee) {
                self.turns.push_back(key);
                continue;
            }
            let callee = Arc::clone(&line.callee);
            let ticket = line.waiting.pop_front();
            if line.waiting.is_empty() {
                self.lines.remove(&key);
            } else {
                self.turns.push_back(key);
            }
            if let Some(ticket) = ticket {
                self.waiting -= 1;
                return Some((callee, ticket));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::id::{SpaceId, WebhookId};

    use super::*;

    fn callee(webhook: &str) -> Arc<Callee> {
        let key = Key {
            space: SpaceId::new("s").expect("space"),
            webhook: WebhookId::new(webhook).expect("webhook"),
        };
        Arc::new(Callee { key, host: "h".into() })
    }

    /// Lets in as many as the room admits, and says how many.
    fn fill(room: &mut Room<u32>, callee: &Arc<Callee>) -> u32 {
        let mut entered = 0;
        while room.admits(&callee.key, 0, 0, false) {
            room.enter(callee, entered);
            entered += 1;
        }
        entered
    }

    #[test]
    fn one_webhook_gets_at_most_half_and_there_is_always_room_for_another() {
        let mut room = Room::new(1000);
        assert_eq!(fill(&mut room, &callee("a")), 500);
        assert_eq!(fill(&mut room, &callee("b")), 250);
        assert_eq!(fill(&mut room, &callee("c")), 125);
        assert!(room.admits(&callee("d").key, 0, 0, false));
    }

    #[test]
    fn a_thousand_doubtful_webhooks_leave_most_of_the_room_to_those_that_live() {
        let mut room = Room::new(1000);
        for webhook in 0..1000 {
            let one = callee(&format!("w{webhook}"));
            while room.admits(&one.key, 0, 0, true) {
                room.enter(&one, 0);
            }
        }
        assert_eq!(room.waiting(), 375);
        assert_eq!(fill(&mut room, &callee("alive")), 313, "half of what is left, as always");
    }

    #[test]
    fn those_of_one_webhook_leave_in_order_and_the_webhooks_take_turns() {
        let mut room = Room::new(100);
        let (a, b) = (callee("a"), callee("b"));
        for (who, ticket) in [(&a, 1), (&a, 2), (&a, 3), (&b, 10), (&b, 20)] {
            room.enter(who, ticket);
        }
        let order: Vec<i32> = std::iter::from_fn(|| room.next(|_| true)).map(|(_, ticket)| ticket).collect();
        assert_eq!(order, [1, 10, 2, 20, 3]);
        assert_eq!((room.waiting, room.turns.len(), room.lines.len()), (0, 0, 0));
    }

    #[test]
    fn a_webhook_that_may_not_start_is_passed_over_and_keeps_its_place() {
        let mut room = Room::new(100);
        let (a, b) = (callee("a"), callee("b"));
        room.enter(&a, 1);
        room.enter(&b, 2);
        assert_eq!(room.next(|callee| *callee == *b).map(|(_, ticket)| ticket), Some(2));
        assert!(room.next(|callee| *callee == *b).is_none());
        assert_eq!(room.next(|_| true).map(|(_, ticket)| ticket), Some(1));
    }
}

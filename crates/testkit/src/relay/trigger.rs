//! What cuts a connection at an exact byte.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Direction;

/// What is armed: at most one thing.
#[derive(Debug)]
pub(super) struct Triggers {
    armed: Mutex<Option<(Direction, What)>>,
    is_armed: watch::Sender<bool>,
}

#[derive(Debug)]
enum What {
    /// After so many bytes.
    After(u64),
    /// Before the last of these.
    Before(Vec<u8>),
}

impl Default for Triggers {
    fn default() -> Self {
        Self { armed: Mutex::new(None), is_armed: watch::Sender::new(false) }
    }
}

impl Triggers {
    pub(super) fn arm_after(&self, direction: Direction, bytes: u64) {
        self.arm(direction, What::After(bytes));
    }

    pub(super) fn arm_before(&self, direction: Direction, frame: &[u8]) {
        assert!(!frame.is_empty(), "no bytes come nowhere");
        self.arm(direction, What::Before(frame.to_owned()));
    }

    pub(super) fn disarm(&self) {
        *self.lock() = None;
        self.is_armed.send_replace(false);
    }

    pub(super) async fn until_disarmed(&self) {
        // `self` holds the sender, so waiting cannot fail.
        drop(self.is_armed.subscribe().wait_for(|armed| !armed).await);
    }

    /// How many bytes of `chunk` may still pass before the connection is cut; `None` when it is not. `before` is the end of
    /// what this connection has carried in this direction so far; at least as much of `chunk` is put there.
    pub(super) fn judge(&self, direction: Direction, before: &mut Vec<u8>, chunk: &[u8]) -> Option<usize> {
        let mut armed = self.lock();
        let carried = before.len();
        before.extend_from_slice(chunk);
        let passing = match armed.as_mut() {
            Some((at, What::After(left))) if *at == direction => {
                let passing = usize::try_from(*left).unwrap_or(usize::MAX).min(chunk.len());
                *left -= passing as u64;
                (*left == 0).then_some(passing)
            }
            Some((at, What::Before(frame))) if *at == direction => {
                let found = before.windows(frame.len()).position(|window| window == frame.as_slice());
                // What was passed on before this was armed is no match.
                found.map(|at| at + frame.len() - 1).and_then(|last| last.checked_sub(carried))
            }
            _ => None,
        };
        // As much as a frame that begins here and ends later may need.
        let keep = match armed.as_ref() {
            Some((at, What::Before(frame))) if *at == direction => frame.len() - 1,
            _ => 0,
        };
        before.drain(..before.len().saturating_sub(keep));
        if passing.is_some() {
            *armed = None;
            self.is_armed.send_replace(false);
        }
        passing
    }

    fn arm(&self, direction: Direction, what: What) {
        *self.lock() = Some((direction, what));
        self.is_armed.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Direction, What)>> {
        // Nothing is left half done in it.
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a text in pieces; how many of its bytes pass before the cut.
    fn passes(triggers: &Triggers, text: &[u8], piece: usize) -> Option<usize> {
        let (mut before, mut passed) = (Vec::new(), 0);
        for chunk in text.chunks(piece) {
            if let Some(more) = triggers.judge(Direction::Back, &mut before, chunk) {
                return Some(passed + more);
            }
            passed += chunk.len();
        }
        None
    }

    #[test]
    fn a_frame_is_found_however_it_is_cut_into_pieces() {
        let text = b"aaab-aab-aab";
        for piece in 1..=text.len() {
            let triggers = Triggers::default();
            triggers.arm_before(Direction::Back, b"b-aab");
            assert_eq!(passes(&triggers, text, piece), Some(7), "in pieces of {piece}");
            assert_eq!(passes(&triggers, text, piece), None, "it cuts once");
        }
    }

    #[test]
    fn bytes_are_counted_over_all_pieces_and_in_one_direction_only() {
        for piece in 1..=10 {
            let triggers = Triggers::default();
            triggers.arm_after(Direction::Back, 7);
            assert_eq!(triggers.judge(Direction::There, &mut Vec::new(), &[0; 100]), None);
            assert_eq!(passes(&triggers, &[0; 10], piece), Some(7), "in pieces of {piece}");
        }
    }
}

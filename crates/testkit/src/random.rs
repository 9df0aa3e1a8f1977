//! Chance that repeats itself.

use std::sync::atomic::{AtomicU64, Ordering};

use postrider_ports::clock::Random;
use sha2::{Digest, Sha256};

/// The same seed gives the same bytes in the same order: SHA-256 over seed and a counter, block by block.
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededRandom {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(32) {
            let mut hash = Sha256::new();
            hash.update(self.seed.to_be_bytes());
            hash.update(self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            block.copy_from_slice(&hash.finalize()[..block.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(random: &SeededRandom) -> [u8; 40] {
        let mut bytes = [0; 40];
        random.fill(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_decides_everything_and_each_draw_is_new() {
        let (one, same, other) = (SeededRandom::new(1), SeededRandom::new(1), SeededRandom::new(2));
        let first = drawn(&one);
        assert_eq!(first, drawn(&same));
        assert_ne!(first, drawn(&other));
        assert_ne!(first, drawn(&one));
    }

    #[test]
    fn a_fraction_lies_between_zero_and_one() {
        let random = SeededRandom::new(7);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&random.fraction())));
    }
}

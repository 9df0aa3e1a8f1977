//! Figures: percentiles, medians, and what is kept of a run.

use std::time::Duration;

use serde_json::{Value, json};

/// Latencies in ascending order.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Of these.
    pub(crate) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The smallest that at least `percent` of all do not exceed (nearest rank); zero of none.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// In milliseconds.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        self.percentile(percent).as_secs_f64() * 1e3
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in ascending order.
    pub(crate) fn all(self) -> Vec<Duration> {
        self.0
    }

    /// The distribution in milliseconds: each percentile from 0 to 100.
    pub(crate) fn every_percent(&self) -> Vec<f64> {
        (0..=100).map(|percent| thousandths(self.percentile_ms(percent))).collect()
    }

    /// What is kept of them.
    pub(crate) fn json(&self) -> Value {
        json!({
            "p50": thousandths(self.percentile_ms(50)),
            "p95": thousandths(self.percentile_ms(95)),
            "p99": thousandths(self.percentile_ms(99)),
            "max": thousandths(self.percentile_ms(100)),
        })
    }
}

/// The middle value, the smallest and the largest.
pub(crate) fn median(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some((*sorted.get(sorted.len() / 2)?, *sorted.first()?, *sorted.last()?))
}

/// Rounded to three places: more would be noise in the files.
pub(crate) fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench stay far below 2^52")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let latencies = Latencies::of((1..=200).rev().map(Duration::from_millis).collect());
        let ms = |percent| latencies.percentile(percent).as_millis();
        assert_eq!([ms(50), ms(95), ms(99), ms(100)], [100, 190, 198, 200]);
        assert_eq!(Latencies::of(Vec::new()).percentile(95), Duration::ZERO);
        assert_eq!(Latencies::of(vec![Duration::from_millis(7)]).percentile(1).as_millis(), 7);
    }

    #[test]
    fn the_median_of_three_runs_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(median(&[]), None);
    }
}

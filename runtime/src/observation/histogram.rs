//! Durations counted into buckets, cumulative only when they are written.

use std::time::Duration;

/// Upper bounds of the buckets, seconds: from a warm answer to the longest timeout a function may
/// have.
pub const BOUNDS: [f64; 14] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 900.0,
];

/// A histogram of durations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// How many, by upper bound (seconds): those up to and including it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS
            .iter()
            .zip(&self.buckets)
            .scan(0, |sum, (bound, count)| {
                *sum += count;
                Some((*bound, *sum))
            })
    }

    /// All that were counted, those beyond the last bound included.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_beyond_all_still_counts() {
        let mut histogram = Histogram::default();
        for ms in [1, 2, 5, 1_000_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative[..2], [(0.001, 1), (0.005, 3)]);
        assert_eq!(cumulative[BOUNDS.len() - 1], (900.0, 3));
        assert_eq!(histogram.count(), 4);
        assert!((histogram.sum() - 1000.008).abs() < 1e-9);
    }
}

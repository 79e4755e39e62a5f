//! The sums of one cell.

/// Inclusive upper bounds of the buckets of the histogram, microseconds. One more bucket has no
/// bound.
pub const BUCKET_BOUNDS_US: [u64; BUCKETS - 1] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
    5_000_000, 10_000_000,
];

/// Number of buckets.
pub const BUCKETS: usize = 14;

/// Number and durations of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Aggregate {
    /// Number of calls.
    pub calls: u64,
    /// Sum of their durations, microseconds.
    pub duration_us: u64,
    /// The longest duration, microseconds.
    pub max_us: u64,
    /// Calls by duration, see [`BUCKET_BOUNDS_US`].
    pub buckets: [u64; BUCKETS],
}

impl Aggregate {
    /// The aggregate of one call.
    pub fn of(duration_us: u64) -> Self {
        let mut buckets = [0; BUCKETS];
        buckets[BUCKET_BOUNDS_US.partition_point(|bound| *bound < duration_us)] = 1;
        Self {
            calls: 1,
            duration_us,
            max_us: duration_us,
            buckets,
        }
    }

    /// Adds another aggregate.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.duration_us = self.duration_us.saturating_add(other.duration_us);
        self.max_us = self.max_us.max(other.max_us);
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
    }

    /// Mean duration, microseconds; 0 without calls.
    pub fn mean_us(&self) -> u64 {
        self.duration_us.checked_div(self.calls).unwrap_or(0)
    }

    /// An upper bound, microseconds, of the given percentile: the bound of its bucket, at most the
    /// longest duration. 0 without calls.
    pub fn percentile_us(&self, per_mille: u64) -> u64 {
        let rank = (self.calls * per_mille.min(1000)).div_ceil(1000);
        let mut seen = 0;
        for (bucket, bound) in self.buckets.iter().zip(BUCKET_BOUNDS_US) {
            seen += bucket;
            if seen >= rank {
                return bound.min(self.max_us);
            }
        }
        self.max_us
    }
}

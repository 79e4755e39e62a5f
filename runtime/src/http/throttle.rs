//! The rate limit of a route: a token bucket, as the service describes it. Time is a parameter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sam_template::model::{Api, Route, Throttle};

/// The bucket counts thousandths of a request.
const REQUEST: u64 = 1_000;

/// Nanoseconds.
const SECOND: u128 = 1_000_000_000;

/// The requests that a route accepts now.
#[derive(Debug)]
struct Bucket {
    limit: Throttle,
    /// Thousandths of a request.
    level: u64,
    /// The time up to which the level includes the rate.
    counted: Instant,
}

impl Bucket {
    /// Full at the start.
    fn new(limit: Throttle, now: Instant) -> Self {
        Self {
            limit,
            level: u64::from(limit.burst) * REQUEST,
            counted: now,
        }
    }

    /// Takes one request from the level. False: the limit is reached.
    fn take(&mut self, now: Instant) -> bool {
        let full = u64::from(self.limit.burst) * REQUEST;
        let rate = u128::from(self.limit.rate_milli);
        let passed = now.saturating_duration_since(self.counted).as_nanos();
        let added = rate.saturating_mul(passed) / SECOND;
        if added > 0 {
            // the remainder below one thousandth counts the next time
            let taken =
                Duration::from_nanos(u64::try_from(added * SECOND / rate).unwrap_or(u64::MAX));
            self.counted = self.counted.checked_add(taken).unwrap_or(now);
            self.level = self
                .level
                .saturating_add(u64::try_from(added).unwrap_or(u64::MAX))
                .min(full);
        }
        let takes = self.level >= REQUEST;
        if takes {
            self.level -= REQUEST;
        }
        takes
    }
}

/// The buckets of an API: one for each route with a limit.
#[derive(Debug)]
pub(super) struct Buckets(BTreeMap<String, Bucket>);

impl Buckets {
    /// All full.
    pub(super) fn of(api: &Api, now: Instant) -> Self {
        let limited =
            |route: &Route| Some((route.key(), Bucket::new(api.throttling.of(route)?, now)));
        Self(api.routes.iter().filter_map(limited).collect())
    }

    /// Whether a request to this route is within its limit.
    pub(super) fn take(&mut self, route: &Route, now: Instant) -> bool {
        if self.0.is_empty() {
            return true;
        }
        self.0
            .get_mut(&route.key())
            .is_none_or(|bucket| bucket.take(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &mut Bucket, tries: u32, at: Instant) -> usize {
        (0..tries).filter(|_| bucket.take(at)).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(
            Throttle {
                rate_milli: 2_000,
                burst: 5,
            },
            start,
        );
        assert_eq!(taken(&mut bucket, 9, start), 5);
        assert_eq!(taken(&mut bucket, 9, start + Duration::from_millis(499)), 0);
        assert_eq!(taken(&mut bucket, 9, start + Duration::from_millis(500)), 1);
        assert_eq!(
            taken(&mut bucket, 9, start + Duration::from_millis(1_500)),
            2
        );
        assert_eq!(
            taken(&mut bucket, 9, start + Duration::from_hours(1)),
            5,
            "at most the burst"
        );
    }

    #[test]
    fn many_refused_requests_lose_no_rate() {
        let start = Instant::now();
        for (rate_milli, micros) in [
            (1_500, 1_000),
            (300_000, 1_900),
            (1_999, 1_700),
            (999_999, 7),
            (7, 333),
        ] {
            let mut bucket = Bucket::new(
                Throttle {
                    rate_milli,
                    burst: 5,
                },
                start,
            );
            let seconds = if rate_milli < 1_000 { 400 } else { 4 };
            let tries = seconds * 1_000_000 / micros;
            let taken = (1..=tries)
                .filter(|at| bucket.take(start + Duration::from_micros(at * micros)))
                .count() as u64;
            let expected = 5 + rate_milli * seconds / 1_000;
            assert!(
                taken <= expected && taken + 2 >= expected.min(tries),
                "{rate_milli}: {taken} of {expected}"
            );
        }
    }

    #[test]
    fn a_rate_below_one_a_second_is_not_lost() {
        let start = Instant::now();
        let mut bucket = Bucket::new(
            Throttle {
                rate_milli: 1,
                burst: 1,
            },
            start,
        );
        assert_eq!(taken(&mut bucket, 1, start), 1);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(
            (1..1_000)
                .filter(|second| bucket.take(after(*second)))
                .count(),
            0
        );
        assert!(bucket.take(after(1_000)));
    }

    #[test]
    fn without_a_burst_every_request_is_refused() {
        let start = Instant::now();
        let mut bucket = Bucket::new(
            Throttle {
                rate_milli: 1_000_000,
                burst: 0,
            },
            start,
        );
        assert_eq!(taken(&mut bucket, 3, start + Duration::from_secs(9)), 0);
    }
}

//! Estimates Redis' clock from its replies. Pure: the readings of both clocks are parameters.
//!
//! Each claim returns Redis' time, read between request and reply. That bounds the offset of the
//! two clocks from both sides, to less than the fastest round trip.

/// Assumed drift of the clocks, in millionths: far above that of real clocks.
const DRIFT_PPM: u64 = 200;

/// Bounds of the offset, Redis' clock minus the local one. All in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RedisClock(Option<Bounds>);

#[derive(Debug, Clone, Copy)]
struct Bounds {
    min: i64,
    max: i64,
    /// The local time at which they hold.
    at: u64,
}

impl Bounds {
    fn widened(self, now: u64) -> Self {
        let drift = (now.saturating_sub(self.at) * DRIFT_PPM).div_ceil(1_000_000) as i64;
        Self {
            min: self.min - drift,
            max: self.max + drift,
            at: now,
        }
    }
}

impl RedisClock {
    /// Redis returned its time `redis`; request and reply by the local clock.
    pub(super) fn observe(&mut self, sent: u64, received: u64, redis: u64) {
        let new = Bounds {
            min: redis as i64 - received as i64,
            max: redis as i64 - sent as i64,
            at: received,
        };
        let known = self.0.map(|known| known.widened(received));
        self.0 = Some(match known {
            Some(known) if known.min <= new.max && new.min <= known.max => Bounds {
                min: known.min.max(new.min),
                max: known.max.min(new.max),
                at: received,
            },
            // They contradict each other: a clock was set, or another server has taken over.
            _ => new,
        });
    }

    /// The time that Redis has certainly reached, milliseconds. `None` before the first reply.
    pub(super) fn reached_ms(&self, now: u64) -> Option<u64> {
        let bounds = self.0?.widened(now);
        Some(((now as i64 + bounds.min).max(0) as u64) / 1000)
    }

    /// The local time from which Redis has certainly reached `redis_ms`. `None` before the first
    /// reply.
    pub(super) fn local_of(&self, redis_ms: u64, now: u64) -> Option<u64> {
        let bounds = self.0?.widened(now);
        let redis = i64::try_from(redis_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        Some(redis.saturating_sub(bounds.min).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offset of Redis' clock.
    const AHEAD: u64 = 5_000_000;

    #[test]
    fn the_fastest_replies_bound_the_estimate() {
        let mut clock = RedisClock::default();
        assert_eq!(clock.reached_ms(0), None);
        assert_eq!(clock.local_of(1, 0), None);
        // A slow reply: Redis may have read its clock at any point of the round trip.
        clock.observe(1_000, 9_000, 8_900 + AHEAD);
        assert_eq!(clock.reached_ms(9_000), Some((8_900 + AHEAD) / 1000));
        // A fast reply.
        clock.observe(10_000, 10_100, 10_050 + AHEAD);
        let local = clock.local_of(5_020, 10_100).expect("known");
        assert!((20_000..=20_060).contains(&local), "{local}");
        // A later slow reply does not widen the bounds.
        clock.observe(10_100, 15_000, 14_000 + AHEAD);
        let local = clock.local_of(5_020, 15_000).expect("known");
        assert!((20_000..=20_060).contains(&local), "{local}");
    }

    #[test]
    fn it_never_runs_ahead_of_redis() {
        let mut clock = RedisClock::default();
        // Redis reads its clock at various points between request and reply.
        for n in 0..200_u64 {
            let sent = n * 10_000;
            let took = 100 + n * 37 % 900;
            let read = n * 53 % 100;
            clock.observe(sent, sent + took, sent + took * read / 100 + AHEAD);
            let now = sent + took;
            assert!(clock.reached_ms(now).expect("known") <= (now + AHEAD) / 1000);
            let due = 5_000 + n * 10 + 3;
            assert!(clock.local_of(due, now).expect("known") + AHEAD >= due * 1000);
        }
    }

    #[test]
    fn a_clock_that_was_set_is_estimated_again() {
        let mut clock = RedisClock::default();
        clock.observe(1_000, 1_100, 1_050 + AHEAD);
        clock.observe(2_000, 2_100, 2_050);
        assert_eq!(clock.reached_ms(2_100), Some(2));
        clock.observe(3_000, 3_100, 3_050 + AHEAD);
        assert_eq!(clock.reached_ms(3_100), Some((3_050 + AHEAD) / 1000));
    }
}

//! What time Redis has by now, as seen from here. Pure: both clocks' readings are given.
//!
//! Every claim tells Redis' time, read somewhere between the question and the answer: that bounds how far the two clocks are apart,
//! from both sides. The bounds of all claims together are narrow, soon to less than the quickest round trip.

/// How far the clocks may drift apart, in millionths: far more than clocks do.
const DRIFT_PPM: u64 = 200;

/// Redis' clock minus the local one lies between two bounds. All in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RedisClock(Option<Bounds>);

#[derive(Debug, Clone, Copy)]
struct Bounds {
    least: i64,
    most: i64,
    /// Local time for which they hold.
    at: u64,
}

impl Bounds {
    fn widened(self, now: u64) -> Self {
        let drift = (now.saturating_sub(self.at) * DRIFT_PPM).div_ceil(1_000_000) as i64;
        Self {
            least: self.least - drift,
            most: self.most + drift,
            at: now,
        }
    }
}

impl RedisClock {
    /// Redis said `redis`, asked at `asked` and heard at `answered` by the local clock.
    pub(super) fn learn(&mut self, asked: u64, answered: u64, redis: u64) {
        let new = Bounds {
            least: redis as i64 - answered as i64,
            most: redis as i64 - asked as i64,
            at: answered,
        };
        let known = self.0.map(|known| known.widened(answered));
        self.0 = Some(match known {
            Some(known) if known.least <= new.most && new.least <= known.most => Bounds {
                least: known.least.max(new.least),
                most: known.most.min(new.most),
                at: answered,
            },
            // They cannot both be true: a clock was set, or another Redis has taken over.
            _ => new,
        });
    }

    /// The time that Redis has certainly reached, milliseconds. Nothing as long as it was never heard.
    pub(super) fn reached_ms(&self, now: u64) -> Option<u64> {
        let bounds = self.0?.widened(now);
        Some(((now as i64 + bounds.least).max(0) as u64) / 1000)
    }

    /// The local time from which on Redis has certainly reached a time in milliseconds. Nothing as long as it was never heard.
    pub(super) fn local_of(&self, redis_ms: u64, now: u64) -> Option<u64> {
        let bounds = self.0?.widened(now);
        let redis = i64::try_from(redis_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        Some(redis.saturating_sub(bounds.least).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Redis' clock is so far ahead of the local one.
    const AHEAD: u64 = 5_000_000;

    #[test]
    fn the_clock_is_known_as_closely_as_the_quickest_answers_allow() {
        let mut clock = RedisClock::default();
        assert_eq!(clock.reached_ms(0), None);
        assert_eq!(clock.local_of(1, 0), None);
        // A slow answer: read just before it was heard, or just after it was asked, nobody knows.
        clock.learn(1_000, 9_000, 8_900 + AHEAD);
        assert_eq!(clock.reached_ms(9_000), Some((8_900 + AHEAD) / 1000));
        // A quick one.
        clock.learn(10_000, 10_100, 10_050 + AHEAD);
        let local = clock.local_of(5_020, 10_100).expect("known");
        assert!((20_000..=20_060).contains(&local), "{local}");
        // A slow one later loosens nothing.
        clock.learn(10_100, 15_000, 14_000 + AHEAD);
        let local = clock.local_of(5_020, 15_000).expect("known");
        assert!((20_000..=20_060).contains(&local), "{local}");
    }

    #[test]
    fn it_never_says_that_a_time_has_come_which_has_not() {
        let mut clock = RedisClock::default();
        // Redis reads its clock at any moment between question and answer.
        for n in 0..200_u64 {
            let asked = n * 10_000;
            let took = 100 + n * 37 % 900;
            let read = n * 53 % 100;
            clock.learn(asked, asked + took, asked + took * read / 100 + AHEAD);
            let now = asked + took;
            assert!(clock.reached_ms(now).expect("known") <= (now + AHEAD) / 1000);
            let due = 5_000 + n * 10 + 3;
            assert!(clock.local_of(due, now).expect("known") + AHEAD >= due * 1000);
        }
    }

    #[test]
    fn a_clock_that_was_set_is_learned_anew() {
        let mut clock = RedisClock::default();
        clock.learn(1_000, 1_100, 1_050 + AHEAD);
        clock.learn(2_000, 2_100, 2_050);
        assert_eq!(clock.reached_ms(2_100), Some(2));
        clock.learn(3_000, 3_100, 3_050 + AHEAD);
        assert_eq!(clock.reached_ms(3_100), Some((3_050 + AHEAD) / 1000));
    }
}

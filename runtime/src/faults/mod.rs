//! Fault injection: faults that are rare in the cloud, at a chosen rate.
//!
//! A [`FaultPlan`] is a seed with a rate for each fault. It returns the faults of an invocation by
//! its number, and the pool applies them. No clock and no randomness: the same seed hits the same
//! invocations if they come in the same order.

use std::fmt;
use std::time::Duration;

/// The rates of all faults.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FaultPlan {
    /// Selects the invocations.
    pub seed: u64,
    /// Share of the invocations whose event is delivered once more, 0..=1.
    pub duplicate: f64,
    /// Share of the invocations whose process is killed, 0..=1.
    pub kill: f64,
    /// Maximum delay of an invocation.
    pub delay: Duration,
    /// Processes are stopped between invocations, as the service freezes them.
    pub freeze: bool,
}

/// The faults of one invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InvocationFaults {
    /// The function receives the event a second time, under the same request id.
    pub duplicate: bool,
    /// Its process is killed.
    pub kill: Option<Kill>,
    /// Delay before it starts.
    pub delay: Duration,
}

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// When it has received the event.
    Early,
    /// When it answers, before the answer is used.
    Late,
}

impl FaultPlan {
    /// Whether the plan has no faults.
    pub fn is_none(&self) -> bool {
        *self
            == Self {
                seed: self.seed,
                ..Self::default()
            }
    }

    /// The faults of the invocation with this number.
    pub fn of(&self, number: u64) -> InvocationFaults {
        // an independent stream for each fault: the rate of one does not move another
        let draw = |fault: u64| unit(mix(mix(mix(self.seed) ^ number) ^ fault));
        let kill = draw(1) < self.kill;
        InvocationFaults {
            duplicate: draw(0) < self.duplicate,
            kill: kill.then(|| {
                if draw(2) < 0.5 {
                    Kill::Early
                } else {
                    Kill::Late
                }
            }),
            delay: self.delay.mul_f64(draw(3)),
        }
    }
}

impl fmt::Display for FaultPlan {
    /// `duplicate 0.1, kill 0.05, delay up to 200ms, freeze, seed 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.duplicate > 0.0 {
            write!(f, "duplicate {}, ", self.duplicate)?;
        }
        if self.kill > 0.0 {
            write!(f, "kill {}, ", self.kill)?;
        }
        if !self.delay.is_zero() {
            write!(f, "delay up to {:?}, ", self.delay)?;
        }
        if self.freeze {
            f.write_str("freeze, ")?;
        }
        write!(f, "seed {}", self.seed)
    }
}

/// Hashes a number (the finaliser of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Maps a hash to 0..1.
fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: FaultPlan = FaultPlan {
        seed: 7,
        duplicate: 0.1,
        kill: 0.25,
        delay: Duration::from_millis(200),
        freeze: true,
    };

    #[test]
    fn a_seed_hits_the_same_invocations() {
        let all = |plan: FaultPlan| (0..1_000).map(|number| plan.of(number)).collect::<Vec<_>>();
        assert_eq!(all(PLAN), all(PLAN));
        assert_ne!(all(PLAN), all(FaultPlan { seed: 8, ..PLAN }));
    }

    #[test]
    fn faults_come_at_their_rates() {
        let all: Vec<InvocationFaults> = (0..10_000).map(|number| PLAN.of(number)).collect();
        let share = |hit: fn(&InvocationFaults) -> bool| {
            all.iter().filter(|one| hit(one)).count() as f64 / 10_000.0
        };
        assert!((share(|one| one.duplicate) - 0.1).abs() < 0.02);
        assert!((share(|one| one.kill.is_some()) - 0.25).abs() < 0.02);
        assert!((share(|one| one.kill == Some(Kill::Late)) - 0.125).abs() < 0.02);
        assert!(all.iter().all(|one| one.delay < PLAN.delay));
        assert!((share(|one| one.delay > PLAN.delay / 2) - 0.5).abs() < 0.05);
    }

    #[test]
    fn rates_are_exact_and_independent() {
        let none = FaultPlan {
            seed: 7,
            ..FaultPlan::default()
        };
        assert!(
            none.is_none()
                && (0..1_000).all(|number| none.of(number) == InvocationFaults::default())
        );
        let always = FaultPlan {
            duplicate: 1.0,
            kill: 1.0,
            ..PLAN
        };
        assert!(
            (0..1_000)
                .all(|number| always.of(number).duplicate && always.of(number).kill.is_some())
        );
        let more = FaultPlan {
            duplicate: 0.9,
            ..PLAN
        };
        assert!((0..1_000).all(|number| more.of(number).kill == PLAN.of(number).kill));
    }

    #[test]
    fn a_plan_says_what_it_does() {
        assert_eq!(
            PLAN.to_string(),
            "duplicate 0.1, kill 0.25, delay up to 200ms, freeze, seed 7"
        );
    }
}

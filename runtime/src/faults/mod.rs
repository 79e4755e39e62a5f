//! Faults on purpose: what the cloud does rarely, done often, so that an application can be seen to
//! bear it.
//!
//! A [`Plan`] is a seed and how often what happens. It says for each invocation, by its number,
//! what befalls it; the pool obeys. No clock and no randomness: the same seed befalls the same
//! invocations, as far as they come in the same order.

use std::fmt;
use std::time::Duration;

/// What befalls invocations, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Plan {
    /// Chooses who is hit.
    pub seed: u64,
    /// Share of the invocations whose event is delivered once more, 0..=1.
    pub duplicate: f64,
    /// Share of the invocations whose process is killed, 0..=1.
    pub kill: f64,
    /// The longest that an invocation waits before it is handed over.
    pub delay: Duration,
    /// Processes are stopped between invocations, as the service freezes them.
    pub freeze: bool,
}

/// What befalls one invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The function gets the event once more, under the same request id, after the first time.
    pub duplicate: bool,
    /// Its process is killed.
    pub kill: Option<Kill>,
    /// It waits so long before it is handed over.
    pub delay: Duration,
}

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// As soon as it has the event.
    Early,
    /// When it answers: its work is done, and nobody hears of it.
    Late,
}

impl Plan {
    /// Nothing is planned.
    pub fn is_none(&self) -> bool {
        *self
            == Self {
                seed: self.seed,
                ..Self::default()
            }
    }

    /// What befalls the invocation of this number.
    pub fn of(&self, number: u64) -> Faults {
        // each question has a stream of its own: more of one fault does not move another
        let draw = |question: u64| unit(mixed(mixed(mixed(self.seed) ^ number) ^ question));
        let kill = draw(1) < self.kill;
        Faults {
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

impl fmt::Display for Plan {
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

/// A number that looks random, from any number (the finaliser of `SplitMix64`).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// 0 up to, but not, 1.
fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        seed: 7,
        duplicate: 0.1,
        kill: 0.25,
        delay: Duration::from_millis(200),
        freeze: true,
    };

    #[test]
    fn a_seed_befalls_the_same_invocations_and_another_seed_others() {
        let all = |plan: Plan| (0..1_000).map(|number| plan.of(number)).collect::<Vec<_>>();
        assert_eq!(all(PLAN), all(PLAN));
        assert_ne!(all(PLAN), all(Plan { seed: 8, ..PLAN }));
    }

    #[test]
    fn faults_come_as_often_as_they_are_asked_for() {
        let all: Vec<Faults> = (0..10_000).map(|number| PLAN.of(number)).collect();
        let share =
            |hit: fn(&Faults) -> bool| all.iter().filter(|one| hit(one)).count() as f64 / 10_000.0;
        assert!((share(|one| one.duplicate) - 0.1).abs() < 0.02);
        assert!((share(|one| one.kill.is_some()) - 0.25).abs() < 0.02);
        assert!((share(|one| one.kill == Some(Kill::Late)) - 0.125).abs() < 0.02);
        assert!(all.iter().all(|one| one.delay < PLAN.delay));
        assert!((share(|one| one.delay > PLAN.delay / 2) - 0.5).abs() < 0.05);
    }

    #[test]
    fn never_and_always_mean_what_they_say_and_one_fault_does_not_move_another() {
        let none = Plan {
            seed: 7,
            ..Plan::default()
        };
        assert!(none.is_none() && (0..1_000).all(|number| none.of(number) == Faults::default()));
        let always = Plan {
            duplicate: 1.0,
            kill: 1.0,
            ..PLAN
        };
        assert!(
            (0..1_000)
                .all(|number| always.of(number).duplicate && always.of(number).kill.is_some())
        );
        let more = Plan {
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

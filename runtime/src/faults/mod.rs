//! Faults on purpose: rare events of the cloud made frequent, to test that an application
//! tolerates them.
//!
//! A [`FaultPlan`] is a seed with the share of each fault. It selects the faults of each invocation
//! by its number; the pool applies them. No clock and no randomness: the same seed selects the same
//! invocations, if they come in the same order.

use std::fmt;
use std::time::Duration;

/// Shares of the faults; the fields are also options of `usher up`.
#[derive(Debug, Clone, Copy, Default, PartialEq, clap::Args)]
pub struct FaultPlan {
    /// Selects the affected invocations.
    #[arg(skip)]
    pub seed: u64,
    /// Share of the invocations whose event is delivered twice, 0 to 1
    #[arg(long, value_name = "P", default_value = "0", hide_default_value = true, value_parser = share)]
    pub duplicate: f64,
    /// Share of the invocations whose process is killed, half of them when they answer, 0 to 1
    #[arg(long, value_name = "P", default_value = "0", hide_default_value = true, value_parser = share)]
    pub kill: f64,
    /// Longest delay before an invocation reaches its function: 250ms, 2s
    #[arg(long, value_name = "TIME", default_value = "0s", hide_default_value = true, value_parser = time)]
    pub delay: Duration,
    /// Stop processes between invocations, as Lambda freezes them
    #[arg(long)]
    pub freeze: bool,
}

/// Why the text of an option is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum FaultOptionError {
    #[error("a share is a number from 0 to 1, such as 0.1")]
    Share,
    #[error("a time is a whole number with ms or s, such as 250ms")]
    Number,
    #[error("a time ends with ms or s, such as 250ms")]
    Unit,
}

fn share(text: &str) -> Result<f64, FaultOptionError> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or(FaultOptionError::Share)
}

fn time(text: &str) -> Result<Duration, FaultOptionError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| FaultOptionError::Number)?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(FaultOptionError::Unit),
    }
}

/// Faults of one invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InvocationFaults {
    /// The event is delivered a second time, under the same request id.
    pub duplicate: bool,
    /// Its process is killed.
    pub kill: Option<Kill>,
    /// Wait before its delivery.
    pub delay: Duration,
}

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// When it has received the event.
    Early,
    /// When it responds: its work is done, and the response is lost.
    Late,
}

impl FaultPlan {
    /// Whether no fault is planned.
    pub fn is_none(&self) -> bool {
        *self
            == Self {
                seed: self.seed,
                ..Self::default()
            }
    }

    /// The faults of the invocation with this number.
    pub fn of(&self, number: u64) -> InvocationFaults {
        // Each fault has its own stream: a larger share of one does not move another.
        let draw = |stream: u64| unit(mixed(mixed(mixed(self.seed) ^ number) ^ stream));
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

    const PLAN: FaultPlan = FaultPlan {
        seed: 7,
        duplicate: 0.1,
        kill: 0.25,
        delay: Duration::from_millis(200),
        freeze: true,
    };

    #[test]
    fn a_seed_selects_the_same_invocations() {
        let all = |plan: FaultPlan| (0..1_000).map(|number| plan.of(number)).collect::<Vec<_>>();
        assert_eq!(all(PLAN), all(PLAN));
        assert_ne!(all(PLAN), all(FaultPlan { seed: 8, ..PLAN }));
    }

    #[test]
    fn faults_have_their_configured_shares() {
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
    fn faults_are_independent_of_each_other() {
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
    fn a_plan_is_printed_with_its_faults() {
        assert_eq!(
            PLAN.to_string(),
            "duplicate 0.1, kill 0.25, delay up to 200ms, freeze, seed 7"
        );
    }
}

//! The schedule of faults: a function of the seed, of the time and of the kinds, without effects.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::kind::Kind;
use crate::place::Resource;

/// Time of undisturbed sale at the start.
const CALM: Duration = Duration::from_secs(3);
/// Time between the starts of two faults, milliseconds. Faults of different resources overlap.
const GAP_MS: std::ops::Range<u64> = 1000..5000;
/// How long what a fault disturbed is left alone after its end: a server needs to start again.
const RECOVERY: Duration = Duration::from_secs(3);

/// A fault of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When it begins, counted from the start of the sale.
    pub at: Duration,
    /// What is done.
    pub kind: Kind,
    /// How long it lasts; zero where it has no length.
    pub lasts: Duration,
}

/// A sale and its faults.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long buyers arrive.
    pub duration: Duration,
    /// Time to pay.
    pub pay_window: Duration,
    /// The faults, by their times.
    pub faults: Vec<Fault>,
}

impl Plan {
    /// Time to pay in a sale whose faults are drawn from a seed.
    pub const PAY_WINDOW: Duration = Duration::from_secs(10);

    /// A sale of this length with the faults of [`schedule`].
    pub fn drawn(seed: u64, duration: Duration, kinds: &[Kind]) -> Self {
        Self {
            duration,
            pay_window: Self::PAY_WINDOW,
            faults: schedule(seed, duration, kinds),
        }
    }
}

/// The faults within `duration`, by their times. A seed decides all of them.
///
/// Each round contains every kind of `kinds` once, in an order of its own, so that a long schedule
/// contains all of them equally often. No two faults disturb the same resource at one time.
pub fn schedule(seed: u64, duration: Duration, kinds: &[Kind]) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut free: BTreeMap<Resource, Duration> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut next = CALM;
    let mut round = Vec::new();
    loop {
        if round.is_empty() {
            round = kinds.to_vec();
            round.shuffle(&mut random);
        }
        let Some(kind) = round.pop() else {
            return faults;
        };
        let lasts = length(&mut random, kind);
        let needs = kind.needs();
        let busy = needs.iter().filter_map(|resource| free.get(resource));
        let at = busy.copied().fold(next, Duration::max);
        if at + lasts > duration {
            faults.sort_by_key(|fault: &Fault| fault.at);
            return faults;
        }
        for resource in needs {
            free.insert(resource, at + lasts + RECOVERY);
        }
        faults.push(Fault { at, kind, lasts });
        next = at + Duration::from_millis(random.random_range(GAP_MS));
    }
}

fn length(random: &mut StdRng, kind: Kind) -> Duration {
    let [shortest, longest] = kind.length().map(|length| length.as_millis() as u64);
    Duration::from_millis(random.random_range(shortest..=longest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_seed_repeats_its_schedule() {
        let kinds = Kind::all();
        let one = schedule(1, HOUR, &kinds);
        assert_eq!(one, schedule(1, HOUR, &kinds));
        assert_ne!(one, schedule(2, HOUR, &kinds));
    }

    #[test]
    fn ten_minutes_contain_every_kind() {
        let kinds = Kind::all();
        for seed in 0..20 {
            let faults = schedule(seed, Duration::from_mins(10), &kinds);
            let found: BTreeSet<Kind> = faults.iter().map(|fault| fault.kind).collect();
            assert_eq!(found.len(), kinds.len(), "seed {seed}");
        }
    }

    #[test]
    fn no_resource_is_disturbed_twice_at_one_time() {
        for seed in 0..20 {
            let faults = schedule(seed, HOUR, &Kind::all());
            for (n, one) in faults.iter().enumerate() {
                assert!(one.at >= CALM && one.at + one.lasts <= HOUR);
                let overlapping = faults[n + 1..]
                    .iter()
                    .filter(|other| other.at < one.at + one.lasts);
                for other in overlapping {
                    let needs = one.kind.needs();
                    let shared = other.kind.needs().iter().any(|need| needs.contains(need));
                    assert!(!shared, "{one:?} and {other:?}");
                }
            }
        }
    }

    #[test]
    fn the_time_between_faults_has_bounds() {
        let faults = schedule(7, HOUR, &Kind::all());
        for pair in faults.windows(2) {
            // The longest fault may delay the next one of its resource.
            let wait = pair[1].at.abs_diff(pair[0].at);
            assert!(wait <= Duration::from_secs(5 + 15 + 3), "{pair:?}");
        }
    }
}

//! The latest barrier that this process appended to each partition.

use std::sync::{Mutex, PoisonError};

use shared::refill::{BarrierPlace, Barriers};

use crate::kafka::LogRanges;

/// The latest barrier of this process in each partition.
#[derive(Debug, Default)]
pub struct OwnBarriers(Mutex<Barriers>);

impl OwnBarriers {
    /// Those that Kafka still holds, and that do not stand before the header's barrier of their
    /// partition: an earlier one proves nothing about what was accepted after it.
    pub(crate) fn kept(&self, header: Option<&Barriers>, logs: &LogRanges) -> Barriers {
        let mut own = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        own.0.retain(|partition, place| {
            let required = header.and_then(|header| header.0.get(partition));
            let BarrierPlace(behind, _) = *place;
            required.is_none_or(|required| !is_before(*place, *required))
                && logs
                    .get(partition)
                    .is_some_and(|log| log.contains(&(behind - 1)))
        });
        own
    }

    /// Requests that fill gates at the same time may add theirs in any order.
    pub(crate) fn add(&self, appended: &Barriers) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, place) in &appended.0 {
            let latest = own.0.entry(*partition).or_insert(*place);
            if is_before(*latest, *place) {
                *latest = *place;
            }
        }
    }
}

/// By time first: in a topic that was created again, offsets begin at zero.
fn is_before(one: BarrierPlace, other: BarrierPlace) -> bool {
    let BarrierPlace(behind, appended_ms) = one;
    (appended_ms, behind) < (other.1, other.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: BarrierPlace) -> Barriers {
        Barriers([(0, place)].into())
    }

    #[test]
    fn the_latest_barrier_stays_whatever_the_order() {
        let (earlier, later) = (BarrierPlace(5, 100), BarrierPlace(7, 100));
        let again = BarrierPlace(1, 200);
        let logs = LogRanges::from([(0, 0..10)]);
        let own = OwnBarriers::default();
        for place in [later, earlier] {
            own.add(&at(place));
            assert_eq!(own.kept(None, &logs), at(later));
        }
        own.add(&at(again));
        assert_eq!(own.kept(None, &logs), at(again));
    }

    #[test]
    fn a_barrier_counts_behind_the_headers_one() {
        let logs = LogRanges::from([(0, 0..10)]);
        let own = OwnBarriers::default();
        own.add(&at(BarrierPlace(5, 100)));
        for (header, counts) in [
            (BarrierPlace(4, 100), true),
            (BarrierPlace(5, 100), true),
            (BarrierPlace(6, 100), false),
            (BarrierPlace(1, 101), false),
        ] {
            let kept = own.kept(Some(&at(header)), &logs);
            assert_eq!(!kept.0.is_empty(), counts, "{header:?}");
        }
    }
}

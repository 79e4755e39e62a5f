//! How far a consumer has come in a partition, and whether the topic is still the one it was. Pure.

use super::Arrival;

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) incarnation: i32,
    pub(super) next_offset: i64,
    pub(super) appended_ms: Option<i64>,
}

/// What a part of a batch has of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    first_offset: i64,
    first_appended_ms: Option<i64>,
    next_offset: i64,
    appended_ms: Option<i64>,
}

impl<'a> Seen<'a> {
    pub(super) fn first<M>(arrival: &Arrival<'a, M>) -> Self {
        Self {
            topic: arrival.topic,
            partition: arrival.partition,
            first_offset: arrival.offset,
            first_appended_ms: arrival.appended_ms,
            next_offset: arrival.offset,
            appended_ms: None,
        }
    }

    pub(super) fn add<M>(&mut self, arrival: &Arrival<'a, M>) {
        self.next_offset = self.next_offset.max(arrival.offset.saturating_add(1));
        self.appended_ms = self.appended_ms.max(arrival.appended_ms);
    }
}

/// The mark after `seen` was dealt with, and whether the topic was re-created.
///
/// A record below the mark that was appended later than everything dealt with cannot be a redelivery: offsets started again.
pub(super) fn advance(mark: Option<Mark>, seen: &Seen) -> (Mark, bool) {
    let fresh = |incarnation| Mark { incarnation, next_offset: seen.next_offset, appended_ms: seen.appended_ms };
    let Some(mark) = mark else { return (fresh(1), false) };
    let later = matches!((seen.first_appended_ms, mark.appended_ms), (Some(now), Some(before)) if now > before);
    if seen.first_offset < mark.next_offset && later {
        return (fresh(mark.incarnation.saturating_add(1)), true);
    }
    let advanced = Mark {
        incarnation: mark.incarnation,
        next_offset: mark.next_offset.max(seen.next_offset),
        appended_ms: mark.appended_ms.max(seen.appended_ms),
    };
    (advanced, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(offsets: std::ops::Range<i64>, appended_ms: i64) -> Seen<'static> {
        Seen {
            topic: "t",
            partition: 0,
            first_offset: offsets.start,
            first_appended_ms: Some(appended_ms),
            next_offset: offsets.end,
            appended_ms: Some(appended_ms),
        }
    }

    fn mark(incarnation: i32, next_offset: i64, appended_ms: i64) -> Mark {
        Mark { incarnation, next_offset, appended_ms: Some(appended_ms) }
    }

    #[test]
    fn the_mark_moves_forward_over_what_is_new_and_over_gaps() {
        assert_eq!(advance(None, &seen(3..7, 100)), (mark(1, 7, 100), false));
        assert_eq!(advance(Some(mark(1, 7, 100)), &seen(7..9, 110)), (mark(1, 9, 110), false));
        assert_eq!(advance(Some(mark(1, 7, 100)), &seen(20..21, 110)), (mark(1, 21, 110), false));
    }

    #[test]
    fn a_redelivery_moves_it_neither_back_nor_into_another_incarnation() {
        assert_eq!(advance(Some(mark(2, 50, 100)), &seen(10..20, 90)), (mark(2, 50, 100), false));
        assert_eq!(advance(Some(mark(2, 50, 100)), &seen(40..60, 100)), (mark(2, 60, 100), false));
    }

    #[test]
    fn an_offset_below_the_mark_appended_later_is_a_topic_created_anew() {
        assert_eq!(advance(Some(mark(1, 50, 100)), &seen(0..5, 101)), (mark(2, 5, 101), true));
        assert_eq!(advance(Some(mark(1, 50, 100)), &seen(0..80, 101)), (mark(2, 80, 101), true));
    }

    #[test]
    fn records_without_a_time_never_make_an_incarnation() {
        let timeless = Seen { first_appended_ms: None, appended_ms: None, ..seen(0..5, 0) };
        assert_eq!(advance(Some(mark(1, 50, 100)), &timeless), (mark(1, 50, 100), false));
    }
}

//! What is to be done about one entry. Pure.

use shared::gate::{Abandon, ResvState};
use shared::store::{CloseDecision, Progress};

/// Entries are put off by at least so much: less would spin.
pub(super) const LEAST_PAUSE_MS: u64 = 1_000;
/// How soon an order is looked at again that waits for somebody else.
pub(super) const WAIT_MS: u64 = 2_000;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The row decides: settle by it.
    SettleRow,
    /// A payment has come and is not matched: match, settle by the row if that made it paid, else look again.
    MatchPayment,
    /// Nothing can be done yet.
    PutOff {
        /// For so long.
        pause_ms: u64,
        /// Somebody should know: why it takes so long.
        alarm: Option<&'static str>,
    },
    /// No row: ask the gate to give the order up, then decide again by its answer.
    Abandon,
    /// Create is behind, or the order's record is lost: put off, and request a barrier that tells which.
    AwaitBarrier {
        /// The partition that the order's record was appended to.
        partition: i32,
    },
    /// Nobody was promised anything: make sure that it is never stored.
    Fence {
        /// Recorded with the fence.
        reason: &'static str,
        /// Somebody should know.
        alarm: bool,
    },
    /// The number is another order's row: this reservation can never be stored.
    Release,
}

/// How far create has come, read before the row was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Create<'a> {
    /// Its progress in the topic.
    pub progress: &'a [Progress],
    /// It has passed a barrier that was requested when this order was accepted already.
    pub passed_barrier: bool,
}

/// `found`: what abandoning found, once it was asked for ([`Action::Abandon`]).
pub fn decide(row: CloseDecision, found: Option<Abandon>, create: Create<'_>) -> Action {
    match (row, found) {
        (CloseDecision::Closed | CloseDecision::Final(_), _) => Action::SettleRow,
        (CloseDecision::NotYet { remaining_ms }, _) => {
            Action::PutOff { pause_ms: (remaining_ms.max(0) as u64).max(LEAST_PAUSE_MS), alarm: None }
        }
        (CloseDecision::PaymentWaiting, _) => Action::MatchPayment,
        (CloseDecision::OtherNonce, _) => Action::Release,
        (CloseDecision::NoRow, None) => Action::Abandon,
        (CloseDecision::NoRow, Some(found)) => without_row(found, create),
    }
}

fn without_row(found: Abandon, create: Create<'_>) -> Action {
    match found {
        Abandon::WasHeld | Abandon::Found(ResvState::Held | ResvState::Abandoning) => {
            Action::Fence { reason: "abandoned", alarm: false }
        }
        // It was promised. Only if create has been there and has not stored it, it never will: its record was parked.
        Abandon::Found(ResvState::Accepted { partition, offset, appended_ms })
            if is_past(create.progress, partition, offset, appended_ms) =>
        {
            Action::Fence { reason: "parked", alarm: true }
        }
        // Its record was deleted before create read it, or was lost with a topic that was created again: the offset is never reached.
        Abandon::Found(ResvState::Accepted { .. }) if create.passed_barrier => Action::Fence { reason: "lost", alarm: true },
        Abandon::Found(ResvState::Accepted { partition, .. }) => Action::AwaitBarrier { partition },
        // Stored between the two looks, or Postgres has gone back in time: look again.
        Abandon::Found(ResvState::Stored) => Action::PutOff { pause_ms: WAIT_MS, alarm: None },
        // The gate is open and has no such order: its entry was re-armed for a seat without an owner's reservation.
        Abandon::Missing => Action::Fence { reason: "unknown", alarm: true },
        Abandon::Refused => Action::PutOff { pause_ms: WAIT_MS, alarm: Some("the program is not open in the gate") },
    }
}

/// Whether create has dealt with this record. A smaller log-append time than the record's means that the topic was made anew, and
/// the offsets are not of the same log.
fn is_past(progress: &[Progress], partition: i32, offset: i64, appended_ms: i64) -> bool {
    let passed = |p: &Progress| p.next_offset > offset && p.appended_ms.is_some_and(|ms| ms >= appended_ms);
    progress.iter().any(|p| p.partition == partition && passed(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::sale::Status;

    fn at(next_offset: i64, appended_ms: i64) -> Vec<Progress> {
        vec![Progress { partition: 2, incarnation: 1, next_offset, appended_ms: Some(appended_ms) }]
    }

    /// Create with this progress, and no barrier passed.
    fn create(progress: &[Progress]) -> Create<'_> {
        Create { progress, passed_barrier: false }
    }

    const ACCEPTED: Abandon = Abandon::Found(ResvState::Accepted { partition: 2, offset: 10, appended_ms: 500 });

    #[test]
    fn a_row_decides_whatever_the_gate_says() {
        for row in [CloseDecision::Closed, CloseDecision::Final(Status::Paid), CloseDecision::Final(Status::Void)] {
            for found in [None, Some(Abandon::WasHeld), Some(ACCEPTED), Some(Abandon::Missing)] {
                assert_eq!(decide(row, found, create(&[])), Action::SettleRow);
            }
        }
    }

    #[test]
    fn nothing_is_given_up_before_the_gate_was_asked() {
        assert_eq!(decide(CloseDecision::NoRow, None, create(&at(99, 999))), Action::Abandon);
    }

    #[test]
    fn what_was_given_up_is_fenced() {
        for found in [Abandon::WasHeld, Abandon::Found(ResvState::Abandoning)] {
            let action = decide(CloseDecision::NoRow, Some(found), create(&[]));
            assert_eq!(action, Action::Fence { reason: "abandoned", alarm: false }, "{found:?}");
        }
    }

    #[test]
    fn an_accepted_order_is_fenced_only_when_create_has_passed_it_for_certain() {
        let action = |progress: &[Progress]| decide(CloseDecision::NoRow, Some(ACCEPTED), create(progress));
        assert_eq!(action(&at(11, 500)), Action::Fence { reason: "parked", alarm: true });
        let behind = [vec![], at(10, 500), at(11, 499), vec![Progress { partition: 1, ..at(11, 500)[0].clone() }]];
        for progress in behind {
            assert_eq!(action(&progress), Action::AwaitBarrier { partition: 2 }, "{progress:?}");
        }
        let silent = vec![Progress { appended_ms: None, ..at(11, 500)[0].clone() }];
        assert_eq!(action(&silent), Action::AwaitBarrier { partition: 2 });
    }

    #[test]
    fn an_accepted_order_before_a_passed_barrier_is_lost() {
        let action = |row, found| decide(row, Some(found), Create { progress: &[], passed_barrier: true });
        assert_eq!(action(CloseDecision::NoRow, ACCEPTED), Action::Fence { reason: "lost", alarm: true });
        assert_eq!(action(CloseDecision::Final(Status::Unpaid), ACCEPTED), Action::SettleRow);
        assert!(matches!(action(CloseDecision::NoRow, Abandon::Refused), Action::PutOff { .. }));
    }

    #[test]
    fn a_closed_gate_concludes_nothing() {
        assert!(matches!(decide(CloseDecision::NoRow, Some(Abandon::Refused), create(&at(99, 999))), Action::PutOff { .. }));
    }

    #[test]
    fn an_entry_is_put_off_by_what_remains_but_never_by_less_than_a_second() {
        for (remaining_ms, pause_ms) in [(1, 1_000), (-3, 1_000), (1_000, 1_000), (90_000, 90_000)] {
            let action = decide(CloseDecision::NotYet { remaining_ms }, None, create(&[]));
            assert_eq!(action, Action::PutOff { pause_ms, alarm: None });
        }
    }

    #[test]
    fn another_orders_number_releases_and_never_fences() {
        assert_eq!(decide(CloseDecision::OtherNonce, Some(Abandon::WasHeld), create(&[])), Action::Release);
    }
}

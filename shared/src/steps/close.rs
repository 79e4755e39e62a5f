//! Close: what timeout-closer does about one due entry. Pure.

use crate::gate::{Abandoned, ReservationState};
use crate::store::{CloseDecision, Progress};

use super::retry_delay::RetryDelay;

/// What has been looked up about an order besides its row. [`after_claim`] requests each look-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The gate's answer to [`CloseAction::Abandon`].
    pub gate: Option<Abandoned>,
    /// Whether its parked record was replayed and may still be stored
    /// ([`CloseAction::LookForReplay`]).
    pub replay: Option<bool>,
    /// Whether order-create has passed a barrier that was requested after this order was accepted.
    pub passed_barrier: bool,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseAction {
    /// Settle the gate by the row.
    SettleRow,
    /// Match the waiting payment. If that pays the order, settle by the row, else postpone.
    MatchPayment,
    /// Nothing can be done yet.
    Postpone {
        /// Until the next attempt.
        delay: RetryDelay,
        /// For the log: which other process must act first.
        why: Option<&'static str>,
    },
    /// No row: make the gate give the order up, then decide again by its answer.
    Abandon,
    /// Order-create is behind, or the order's record is lost. Postpone, and request a barrier that
    /// distinguishes the two.
    AwaitBarrier {
        /// The partition of the order's record.
        partition: i32,
    },
    /// Order-create has passed the order's record without storing it: find out whether the parked
    /// record was replayed, then decide again.
    LookForReplay {
        /// Partition of the record.
        partition: i32,
        /// Its offset.
        offset: i64,
    },
    /// Make sure that the order is never stored.
    Fence {
        /// Stored with the fence.
        reason: &'static str,
        /// Whether the log raises an alarm: the order had been accepted, or is unknown.
        alarm: bool,
    },
    /// The number belongs to another order's row, so this reservation can never be stored.
    Release,
}

/// Decides by the row. Without a row, decides by the evidence so far.
pub fn after_claim(row: CloseDecision, evidence: Evidence, progress: &[Progress]) -> CloseAction {
    match (row, evidence.gate) {
        (CloseDecision::Closed | CloseDecision::Final(_), _) => CloseAction::SettleRow,
        (CloseDecision::NotYet { remaining_ms }, _) => CloseAction::Postpone {
            delay: RetryDelay::Ms(remaining_ms.max(0) as u64),
            why: None,
        },
        (CloseDecision::PaymentWaiting, _) => CloseAction::MatchPayment,
        (CloseDecision::OtherNonce, _) => CloseAction::Release,
        (CloseDecision::NoRow, None) => CloseAction::Abandon,
        (CloseDecision::NoRow, Some(gate)) => decide_without_row(gate, evidence, progress),
    }
}

fn decide_without_row(gate: Abandoned, evidence: Evidence, progress: &[Progress]) -> CloseAction {
    let postpone = |why| CloseAction::Postpone {
        delay: RetryDelay::Backoff,
        why: Some(why),
    };
    match gate {
        Abandoned::WasHeld
        | Abandoned::Found(ReservationState::Held | ReservationState::Abandoning) => {
            CloseAction::Fence {
                reason: "abandoned",
                alarm: false,
            }
        }
        // The buyer saw 202. The order is fenced only if order-create can no longer store it.
        Abandoned::Found(ReservationState::Accepted {
            partition,
            offset,
            appended_ms,
        }) => {
            let reason = if is_past(progress, partition, offset, appended_ms) {
                "parked"
            } else if evidence.passed_barrier {
                // Deleted unread, or lost with a topic that was created again: order-create never
                // reaches the offset.
                "lost"
            } else {
                return CloseAction::AwaitBarrier { partition };
            };
            match evidence.replay {
                None => CloseAction::LookForReplay { partition, offset },
                Some(true) => {
                    postpone("the order's parked record was put back and is not read yet")
                }
                Some(false) => CloseAction::Fence {
                    reason,
                    alarm: true,
                },
            }
        }
        // Stored between the two reads, or Postgres was restored from a backup: read again.
        Abandoned::Found(ReservationState::Stored) => CloseAction::Postpone {
            delay: RetryDelay::Backoff,
            why: None,
        },
        // The gate is open and has no such order: the sweep made its entry for a seat whose owner
        // has no reservation.
        Abandoned::Missing => CloseAction::Fence {
            reason: "unknown",
            alarm: true,
        },
        Abandoned::Refused => postpone("the program is not open in the gate"),
    }
}

/// Whether order-create has passed this record. A log-append time below the record's means that the
/// topic was created again: the offsets belong to different logs.
fn is_past(progress: &[Progress], partition: i32, offset: i64, appended_ms: i64) -> bool {
    let passed =
        |p: &Progress| p.next_offset > offset && p.appended_ms.is_some_and(|ms| ms >= appended_ms);
    progress
        .iter()
        .any(|p| p.partition == partition && passed(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::Status;

    fn at(next_offset: i64, appended_ms: i64) -> Vec<Progress> {
        vec![Progress {
            partition: 2,
            incarnation: 1,
            next_offset,
            appended_ms: Some(appended_ms),
        }]
    }

    const ACCEPTED: Abandoned = Abandoned::Found(ReservationState::Accepted {
        partition: 2,
        offset: 10,
        appended_ms: 500,
    });

    fn gate(found: Abandoned) -> Evidence {
        Evidence {
            gate: Some(found),
            ..Evidence::default()
        }
    }

    #[test]
    fn a_row_outranks_the_gate() {
        for row in [
            CloseDecision::Closed,
            CloseDecision::Final(Status::Paid),
            CloseDecision::Final(Status::Void),
        ] {
            for found in [
                Evidence::default(),
                gate(Abandoned::WasHeld),
                gate(ACCEPTED),
                gate(Abandoned::Missing),
            ] {
                assert_eq!(after_claim(row, found, &[]), CloseAction::SettleRow);
            }
        }
    }

    #[test]
    fn the_gate_is_read_before_a_fence() {
        assert_eq!(
            after_claim(CloseDecision::NoRow, Evidence::default(), &at(99, 999)),
            CloseAction::Abandon
        );
    }

    #[test]
    fn an_abandoned_order_is_fenced() {
        for found in [
            Abandoned::WasHeld,
            Abandoned::Found(ReservationState::Abandoning),
        ] {
            let action = after_claim(CloseDecision::NoRow, gate(found), &[]);
            assert_eq!(
                action,
                CloseAction::Fence {
                    reason: "abandoned",
                    alarm: false
                },
                "{found:?}"
            );
        }
    }

    #[test]
    fn an_accepted_order_is_fenced_only_once_passed() {
        let action =
            |progress: &[Progress]| after_claim(CloseDecision::NoRow, gate(ACCEPTED), progress);
        assert_eq!(
            action(&at(11, 500)),
            CloseAction::LookForReplay {
                partition: 2,
                offset: 10
            }
        );
        let behind = [
            vec![],
            at(10, 500),
            at(11, 499),
            vec![Progress {
                partition: 1,
                ..at(11, 500)[0].clone()
            }],
        ];
        for progress in behind {
            assert_eq!(
                action(&progress),
                CloseAction::AwaitBarrier { partition: 2 },
                "{progress:?}"
            );
        }
        let silent = vec![Progress {
            appended_ms: None,
            ..at(11, 500)[0].clone()
        }];
        assert_eq!(action(&silent), CloseAction::AwaitBarrier { partition: 2 });
    }

    #[test]
    fn an_order_before_a_passed_barrier_is_lost() {
        let action = |row, found, replay| {
            after_claim(
                row,
                Evidence {
                    replay,
                    passed_barrier: true,
                    ..gate(found)
                },
                &[],
            )
        };
        let lost = CloseAction::Fence {
            reason: "lost",
            alarm: true,
        };
        assert_eq!(
            action(CloseDecision::NoRow, ACCEPTED, None),
            CloseAction::LookForReplay {
                partition: 2,
                offset: 10
            }
        );
        assert_eq!(action(CloseDecision::NoRow, ACCEPTED, Some(false)), lost);
        assert!(matches!(
            action(CloseDecision::NoRow, ACCEPTED, Some(true)),
            CloseAction::Postpone { .. }
        ));
        assert_eq!(
            action(CloseDecision::Final(Status::Unpaid), ACCEPTED, None),
            CloseAction::SettleRow
        );
        assert!(matches!(
            action(CloseDecision::NoRow, Abandoned::Refused, None),
            CloseAction::Postpone { .. }
        ));
    }

    #[test]
    fn a_replayed_record_keeps_its_order() {
        let action = |replay| {
            let found = Evidence {
                replay: Some(replay),
                ..gate(ACCEPTED)
            };
            after_claim(CloseDecision::NoRow, found, &at(11, 500))
        };
        assert!(matches!(
            action(true),
            CloseAction::Postpone {
                delay: RetryDelay::Backoff,
                why: Some(_)
            }
        ));
        assert_eq!(
            action(false),
            CloseAction::Fence {
                reason: "parked",
                alarm: true
            }
        );
    }

    #[test]
    fn a_closed_gate_postpones() {
        assert!(matches!(
            after_claim(CloseDecision::NoRow, gate(Abandoned::Refused), &at(99, 999)),
            CloseAction::Postpone { .. }
        ));
    }

    #[test]
    fn an_entry_is_postponed_by_the_remaining_time() {
        for (remaining_ms, ms) in [(1, 1), (-3, 0), (90_000, 90_000)] {
            let action = after_claim(
                CloseDecision::NotYet { remaining_ms },
                Evidence::default(),
                &[],
            );
            assert_eq!(
                action,
                CloseAction::Postpone {
                    delay: RetryDelay::Ms(ms),
                    why: None
                }
            );
        }
    }

    #[test]
    fn the_number_of_another_order_releases() {
        assert_eq!(
            after_claim(CloseDecision::OtherNonce, gate(Abandoned::WasHeld), &[]),
            CloseAction::Release
        );
    }
}

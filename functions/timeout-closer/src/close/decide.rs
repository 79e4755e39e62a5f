//! What is to be done about one entry. Pure.

use shared::gate::{Abandon, ResvState};
use shared::store::{CloseDecision, Progress};

use super::wait::Wait;

/// What was found out about an order besides its row, as far as [`decide`] has asked for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// What abandoning found ([`Action::Abandon`]).
    pub gate: Option<Abandon>,
    /// Whether its parked record was put back and may still be stored ([`Action::LookForReplay`]).
    pub replay: Option<bool>,
    /// Whether create has passed a barrier that was requested when this order was accepted already.
    pub passed_barrier: bool,
}

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
        wait: Wait,
        /// For the log, where another process has to act first: what the order waits for.
        why: Option<&'static str>,
    },
    /// No row: ask the gate to give the order up, then decide again by its answer.
    Abandon,
    /// Create is behind, or the order's record is lost: put off, and request a barrier that tells which.
    AwaitBarrier {
        /// The partition that the order's record was appended to.
        partition: i32,
    },
    /// Create has passed the order's record without storing it: ask whether the parked record was put back, then decide again.
    LookForReplay {
        /// Partition of the record.
        partition: i32,
        /// Its offset.
        offset: i64,
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

/// Decides by the row; where there is none, by what was found out since the last decision.
pub fn decide(row: CloseDecision, found: Found, progress: &[Progress]) -> Action {
    match (row, found.gate) {
        (CloseDecision::Closed | CloseDecision::Final(_), _) => Action::SettleRow,
        (CloseDecision::NotYet { remaining_ms }, _) => Action::PutOff {
            wait: Wait::Ms(remaining_ms.max(0) as u64),
            why: None,
        },
        (CloseDecision::PaymentWaiting, _) => Action::MatchPayment,
        (CloseDecision::OtherNonce, _) => Action::Release,
        (CloseDecision::NoRow, None) => Action::Abandon,
        (CloseDecision::NoRow, Some(gate)) => without_row(gate, found, progress),
    }
}

fn without_row(gate: Abandon, found: Found, progress: &[Progress]) -> Action {
    let wait = |why| Action::PutOff {
        wait: Wait::Backoff,
        why: Some(why),
    };
    match gate {
        Abandon::WasHeld | Abandon::Found(ResvState::Held | ResvState::Abandoning) => {
            Action::Fence {
                reason: "abandoned",
                alarm: false,
            }
        }
        // It was promised. Only if create has been there and has not stored it, it never will: its record was parked.
        Abandon::Found(ResvState::Accepted {
            partition,
            offset,
            appended_ms,
        }) => {
            let reason = if is_past(progress, partition, offset, appended_ms) {
                "parked"
            } else if found.passed_barrier {
                // Deleted before create read it, or gone with a topic that was created again: the offset is never reached.
                "lost"
            } else {
                return Action::AwaitBarrier { partition };
            };
            match found.replay {
                None => Action::LookForReplay { partition, offset },
                Some(true) => wait("the order's parked record was put back and is not read yet"),
                Some(false) => Action::Fence {
                    reason,
                    alarm: true,
                },
            }
        }
        // Stored between the two looks, or Postgres has gone back in time: look again.
        Abandon::Found(ResvState::Stored) => Action::PutOff {
            wait: Wait::Backoff,
            why: None,
        },
        // The gate is open and has no such order: its entry was re-armed for a seat without an owner's reservation.
        Abandon::Missing => Action::Fence {
            reason: "unknown",
            alarm: true,
        },
        Abandon::Refused => wait("the program is not open in the gate"),
    }
}

/// Whether create has dealt with this record. A smaller log-append time than the record's means that the topic was made anew, and
/// the offsets are not of the same log.
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
    use shared::sale::Status;

    fn at(next_offset: i64, appended_ms: i64) -> Vec<Progress> {
        vec![Progress {
            partition: 2,
            incarnation: 1,
            next_offset,
            appended_ms: Some(appended_ms),
        }]
    }

    const ACCEPTED: Abandon = Abandon::Found(ResvState::Accepted {
        partition: 2,
        offset: 10,
        appended_ms: 500,
    });

    fn gate(found: Abandon) -> Found {
        Found {
            gate: Some(found),
            ..Found::default()
        }
    }

    #[test]
    fn a_row_decides_whatever_the_gate_says() {
        for row in [
            CloseDecision::Closed,
            CloseDecision::Final(Status::Paid),
            CloseDecision::Final(Status::Void),
        ] {
            for found in [
                Found::default(),
                gate(Abandon::WasHeld),
                gate(ACCEPTED),
                gate(Abandon::Missing),
            ] {
                assert_eq!(decide(row, found, &[]), Action::SettleRow);
            }
        }
    }

    #[test]
    fn nothing_is_given_up_before_the_gate_was_asked() {
        assert_eq!(
            decide(CloseDecision::NoRow, Found::default(), &at(99, 999)),
            Action::Abandon
        );
    }

    #[test]
    fn what_was_given_up_is_fenced() {
        for found in [Abandon::WasHeld, Abandon::Found(ResvState::Abandoning)] {
            let action = decide(CloseDecision::NoRow, gate(found), &[]);
            assert_eq!(
                action,
                Action::Fence {
                    reason: "abandoned",
                    alarm: false
                },
                "{found:?}"
            );
        }
    }

    #[test]
    fn an_accepted_order_is_fenced_only_when_create_has_passed_it_for_certain() {
        let action = |progress: &[Progress]| decide(CloseDecision::NoRow, gate(ACCEPTED), progress);
        assert_eq!(
            action(&at(11, 500)),
            Action::LookForReplay {
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
                Action::AwaitBarrier { partition: 2 },
                "{progress:?}"
            );
        }
        let silent = vec![Progress {
            appended_ms: None,
            ..at(11, 500)[0].clone()
        }];
        assert_eq!(action(&silent), Action::AwaitBarrier { partition: 2 });
    }

    #[test]
    fn an_accepted_order_before_a_passed_barrier_is_lost() {
        let action = |row, found, replay| {
            decide(
                row,
                Found {
                    replay,
                    passed_barrier: true,
                    ..gate(found)
                },
                &[],
            )
        };
        let lost = Action::Fence {
            reason: "lost",
            alarm: true,
        };
        assert_eq!(
            action(CloseDecision::NoRow, ACCEPTED, None),
            Action::LookForReplay {
                partition: 2,
                offset: 10
            }
        );
        assert_eq!(action(CloseDecision::NoRow, ACCEPTED, Some(false)), lost);
        assert!(matches!(
            action(CloseDecision::NoRow, ACCEPTED, Some(true)),
            Action::PutOff { .. }
        ));
        assert_eq!(
            action(CloseDecision::Final(Status::Unpaid), ACCEPTED, None),
            Action::SettleRow
        );
        assert!(matches!(
            action(CloseDecision::NoRow, Abandon::Refused, None),
            Action::PutOff { .. }
        ));
    }

    #[test]
    fn a_parked_record_that_was_put_back_keeps_its_order() {
        let action = |replay| {
            let found = Found {
                replay: Some(replay),
                ..gate(ACCEPTED)
            };
            decide(CloseDecision::NoRow, found, &at(11, 500))
        };
        assert!(matches!(
            action(true),
            Action::PutOff {
                wait: Wait::Backoff,
                why: Some(_)
            }
        ));
        assert_eq!(
            action(false),
            Action::Fence {
                reason: "parked",
                alarm: true
            }
        );
    }

    #[test]
    fn a_closed_gate_concludes_nothing() {
        assert!(matches!(
            decide(CloseDecision::NoRow, gate(Abandon::Refused), &at(99, 999)),
            Action::PutOff { .. }
        ));
    }

    #[test]
    fn an_entry_is_put_off_by_what_remains() {
        for (remaining_ms, ms) in [(1, 1), (-3, 0), (90_000, 90_000)] {
            let action = decide(
                CloseDecision::NotYet { remaining_ms },
                Found::default(),
                &[],
            );
            assert_eq!(
                action,
                Action::PutOff {
                    wait: Wait::Ms(ms),
                    why: None
                }
            );
        }
    }

    #[test]
    fn another_orders_number_releases_and_never_fences() {
        assert_eq!(
            decide(CloseDecision::OtherNonce, gate(Abandon::WasHeld), &[]),
            Action::Release
        );
    }
}

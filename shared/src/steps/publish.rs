//! Publish: what storefront does after a publish, and after what the gate and Postgres found. Pure.
//!
//! The order of effects is the guarantee. The gate *accepts* before the answer 202. A message
//! without an acknowledgement is given up only by *abandon*, which reports whether another process
//! has taken the order further. Only an abandoned order is fenced in Postgres, whose row decides.

use crate::gate::{Abandoned, Accepted, ReservationState};
use crate::message::Nonce;

/// What to do after the gate's reply to `accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAccept {
    /// Answer that the order is accepted.
    Answer,
    /// Answer by the order's row; without a row the outcome is unknown.
    ReadRow,
    /// Prevent the order from being stored.
    Fence,
}

/// What to do after the gate's reply to `abandon`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAbandon {
    /// Prevent the order from being stored.
    Fence,
    /// Answer that the order is accepted: another process has recorded that the broker has it.
    Answer,
    /// Answer that the outcome is unknown. The timeout entry completes the order.
    Unknown,
}

/// What to do after a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFence {
    /// Settle the gate by the row, and answer by it.
    SettleRow,
    /// Free the seats of the reservation, which can have no row, and answer that it failed.
    Release,
}

/// By the gate's reply to `accept`.
pub const fn after_accept(found: Accepted) -> AfterAccept {
    match found {
        Accepted::Yes
        | Accepted::Found(ReservationState::Accepted { .. } | ReservationState::Held) => {
            AfterAccept::Answer
        }
        // order-create has stored it already.
        Accepted::Found(ReservationState::Stored) | Accepted::Missing => AfterAccept::ReadRow,
        // The timeout-closer has given up on this request.
        Accepted::Found(ReservationState::Abandoning) => AfterAccept::Fence,
    }
}

/// By the gate's reply to `abandon`.
pub const fn after_abandon(found: Abandoned) -> AfterAbandon {
    match found {
        Abandoned::WasHeld | Abandoned::Found(ReservationState::Abandoning) => AfterAbandon::Fence,
        Abandoned::Found(ReservationState::Accepted { .. }) => AfterAbandon::Answer,
        Abandoned::Found(ReservationState::Held | ReservationState::Stored)
        | Abandoned::Missing
        | Abandoned::Refused => AfterAbandon::Unknown,
    }
}

/// By the nonce of the row under the fenced number. Another nonce means that the number belongs to
/// another order, from before a loss of the gate: this one can never be stored.
pub fn after_fence(row: Nonce, order: Nonce) -> AfterFence {
    if row == order {
        AfterFence::SettleRow
    } else {
        AfterFence::Release
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: ReservationState = ReservationState::Accepted {
        partition: 0,
        offset: 1,
        appended_ms: 1,
    };

    #[test]
    fn an_answer_of_success_needs_the_gate() {
        assert_eq!(after_accept(Accepted::Yes), AfterAccept::Answer);
        for (found, step) in [
            (ReservationState::Held, AfterAccept::Answer),
            (ACCEPTED, AfterAccept::Answer),
            (ReservationState::Abandoning, AfterAccept::Fence),
            (ReservationState::Stored, AfterAccept::ReadRow),
        ] {
            assert_eq!(after_accept(Accepted::Found(found)), step, "{found:?}");
        }
        assert_eq!(after_accept(Accepted::Missing), AfterAccept::ReadRow);
    }

    #[test]
    fn an_abandoned_order_is_fenced() {
        for (found, step) in [
            (Abandoned::WasHeld, AfterAbandon::Fence),
            (
                Abandoned::Found(ReservationState::Abandoning),
                AfterAbandon::Fence,
            ),
            (Abandoned::Found(ACCEPTED), AfterAbandon::Answer),
            (
                Abandoned::Found(ReservationState::Stored),
                AfterAbandon::Unknown,
            ),
            (Abandoned::Missing, AfterAbandon::Unknown),
            (Abandoned::Refused, AfterAbandon::Unknown),
        ] {
            assert_eq!(after_abandon(found), step, "{found:?}");
        }
    }

    #[test]
    fn the_row_of_another_order_releases_the_reservation() {
        let (row, order) = (Nonce::new([1; 16]), Nonce::new([2; 16]));
        assert_eq!(after_fence(row, row), AfterFence::SettleRow);
        assert_eq!(after_fence(row, order), AfterFence::Release);
    }
}

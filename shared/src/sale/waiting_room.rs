//! The waiting room of a program: how many buyers a round admits. Pure.
//!
//! Buyers are admitted in the order in which they joined. How many of them is bounded by the
//! operator's rate, and by what order-create has not read yet: admitted buyers order, and an order
//! that is stored too late is lost to its buyer.

use crate::message::AdmissionRate;

/// A rate that was not used is kept for this time, ms: rounds are as frequent as requests of those
/// who wait. So in any time `t` at most `rate * (t + CREDIT_MS)` buyers are admitted.
pub const CREDIT_MS: u64 = 2_000;

/// Longest time after which a buyer is requested to look again, seconds.
const MAX_PAUSE_SECONDS: u64 = 60;

/// What a round finds in Redis. Times are ms of Redis' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundState {
    /// Now.
    pub now_ms: u64,
    /// Everything that the rate allowed until then has been used.
    pub credit_ms: u64,
    /// [`OrderBacklog::read`] of an earlier round that found unread records, else `None`: a topic
    /// without unread records has no lag, however long it is idle.
    pub read: Option<u64>,
    /// When a round first found it there.
    pub moved_ms: u64,
    /// Buyers who wait.
    pub waiting: u32,
}

/// How far order-create is behind the topic of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBacklog {
    /// Records that it has not read.
    pub unread: u64,
    /// Sum of the offsets that it reads next: another value means that it moves.
    pub read: u64,
}

/// When order-create counts as behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogLimit {
    /// From so many unread records on.
    pub unread: u64,
    /// If it has not moved for so long although there is something to read, ms.
    pub stall_ms: u64,
}

/// What a round does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// How many buyers it admits, the first of those who wait.
    pub admitted: u32,
    /// The next round's [`RoundState::credit_ms`].
    pub credit_ms: u64,
    /// The next round's [`RoundState::read`].
    pub read: Option<u64>,
    /// The next round's [`RoundState::moved_ms`].
    pub moved_ms: u64,
    /// No buyer is admitted because order-create is behind, or because that is not known.
    pub paused: bool,
}

/// Decides a round. `backlog` is `None` if it cannot be read: then no order could be taken either.
pub fn admission_round(
    state: RoundState,
    rate: AdmissionRate,
    backlog: Option<OrderBacklog>,
    limit: BacklogLimit,
) -> Round {
    let now_ms = state.now_ms;
    // A clock that was set back must not stop admission until it comes to the same time again.
    let credit_ms = state
        .credit_ms
        .clamp(now_ms.saturating_sub(CREDIT_MS), now_ms);
    let read = match backlog {
        Some(backlog) => (backlog.unread > 0).then_some(backlog.read),
        None => state.read,
    };
    let moves = read.is_none() || read != state.read;
    let moved_ms = if moves { now_ms } else { state.moved_ms };
    let stalls = now_ms.saturating_sub(moved_ms) >= limit.stall_ms;
    let allowed = match backlog {
        Some(backlog) if !stalls => limit.unread.saturating_sub(backlog.unread),
        _ => 0,
    };
    let rate = u64::from(rate.get());
    let earned = (now_ms - credit_ms) * rate / 1000;
    let admitted = earned.min(allowed).min(u64::from(state.waiting));
    Round {
        admitted: u32::try_from(admitted).unwrap_or(u32::MAX),
        credit_ms: credit_ms + (admitted * 1000).div_ceil(rate),
        read,
        moved_ms,
        paused: allowed == 0,
    }
}

/// Seconds until the buyer at `position` (1 is the first) is admitted, if admission does not pause.
pub fn estimated_wait(position: u64, rate: AdmissionRate) -> u64 {
    position.div_ceil(u64::from(rate.get()))
}

/// After how many seconds a buyer looks again: a quarter of the wait, at least twice within the time
/// after which a place lapses, and at most a minute.
pub fn next_look(wait_seconds: u64, patience_seconds: u64) -> u64 {
    let most = (patience_seconds / 3).clamp(1, MAX_PAUSE_SECONDS);
    (wait_seconds / 4).clamp(1, most)
}

#[cfg(test)]
#[path = "waiting_room_tests.rs"]
mod tests;

//! Refuses orders while the brokers are unreachable.
//!
//! It opens when librdkafka reports all brokers down, or when a delivery times out. A delivery or a
//! probe closes it: while it is open, one request at a time fetches metadata with a short timeout,
//! and all others are refused at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the callbacks of the producer and the requests.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker {
    open: AtomicBool,
    probing: AtomicBool,
}

impl CircuitBreaker {
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Permit to probe, for one caller at a time until it is dropped.
    pub(super) fn probe(&self) -> Option<ProbePermit<'_>> {
        (!self.probing.swap(true, Ordering::AcqRel)).then_some(ProbePermit(self))
    }
}

pub(super) struct ProbePermit<'a>(&'a CircuitBreaker);

impl Drop for ProbePermit<'_> {
    fn drop(&mut self) {
        self.0.probing.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_at_a_time_may_probe() {
        let circuit = CircuitBreaker::default();
        let first = circuit.probe();
        assert!(first.is_some());
        assert!(circuit.probe().is_none());
        drop(first);
        assert!(circuit.probe().is_some());
    }
}

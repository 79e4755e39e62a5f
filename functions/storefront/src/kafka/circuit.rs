//! Whether the brokers are known to be away.
//!
//! Opened by librdkafka's own word that all brokers are down, and by a delivery that did not end in time. Closed by a delivery, or by
//! a probe: while open, at most one request at a time asks a broker for metadata, briefly; all others are refused at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by producer callbacks and requests.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    open: AtomicBool,
    probing: AtomicBool,
}

impl Circuit {
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// The right to probe, for one caller at a time; given back when dropped.
    pub(super) fn probe(&self) -> Option<Probe<'_>> {
        (!self.probing.swap(true, Ordering::AcqRel)).then_some(Probe(self))
    }
}

pub(super) struct Probe<'a>(&'a Circuit);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.probing.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probe_at_a_time_and_a_dropped_one_makes_room() {
        let circuit = Circuit::default();
        let first = circuit.probe();
        assert!(first.is_some());
        assert!(circuit.probe().is_none());
        drop(first);
        assert!(circuit.probe().is_some());
    }
}

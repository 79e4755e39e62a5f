//! The health of every source of events.

use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceState};

use super::seconds;
use crate::control::status::HostStatus;
use crate::observation::{Exposition, MetricKind};

/// Reads a time or an age of a source, milliseconds; `None`: there is no sample.
type OfSource = fn(&SourceHealth) -> Option<Millis>;

/// The health of every source: mappings of topics and queues by their id, asynchronous events by
/// their function.
pub(super) fn sources(out: &mut Exposition, status: &HostStatus) {
    let kafka = status
        .mappings
        .iter()
        .map(|mapping| ("kafka", mapping.mapping.as_str(), &mapping.health));
    let queues = status
        .queues
        .iter()
        .map(|queue| ("sqs", queue.mapping.as_str(), &queue.health));
    let events = status
        .events
        .iter()
        .map(|events| ("events", events.function.as_str(), &events.health));
    let all: Vec<_> = kafka.chain(queues).chain(events).collect();
    out.family(
        "usher_source_state",
        MetricKind::Gauge,
        "1 for the state that a source is in, 0 for the others.",
    );
    for (kind, source, health) in &all {
        for state in SourceState::ALL {
            let labels = [("kind", *kind), ("source", source), ("state", state.name())];
            out.sample(
                "usher_source_state",
                &labels,
                u64::from(health.state == state),
            );
        }
    }
    let families: [(&str, &str, OfSource); 3] = [
        (
            "usher_source_state_since_seconds",
            "Since when a source is in its state, seconds since 1970.",
            |h| Some(h.since_ms),
        ),
        (
            "usher_source_oldest_waiting_seconds",
            "Age of the oldest work that waits at a source; 0: none waits.",
            |h| Some(h.oldest_waiting_ms.unwrap_or_default()),
        ),
        (
            "usher_source_last_progress_seconds",
            "When work of a source was last done, seconds since 1970.",
            |h| h.last_progress_ms,
        ),
    ];
    for (name, help, read) in families {
        out.family(name, MetricKind::Gauge, help);
        for (kind, source, health) in &all {
            if let Some(value) = read(health) {
                out.sample(name, &[("kind", *kind), ("source", source)], seconds(value));
            }
        }
    }
}

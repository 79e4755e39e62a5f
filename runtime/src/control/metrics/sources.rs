//! Metrics of the sources of events: what each kind reports, and the health of every source.

use event_sources::Millis;
use event_sources::health::SourceState;

use super::{Family, table};
use crate::observation::{Exposition, MetricKind};
use crate::sources::{KindStatus, SourceMetric};

/// The health of every source, by kind and id.
const HEALTH: [Family<KindStatus>; 3] = [
    (
        "state_since_seconds",
        "Since when a source is in its state, seconds since 1970.",
        |(_, s)| seconds(s.health.since_ms),
    ),
    (
        "oldest_waiting_seconds",
        "Age of the oldest work that waits at a source; 0: none waits.",
        |(_, s)| seconds(s.health.oldest_waiting_ms.unwrap_or_default()),
    ),
    (
        "last_progress_seconds",
        "When work of a source was last done, seconds since 1970.",
        |(_, s)| s.health.last_progress_ms.and_then(seconds),
    ),
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "a column of a table, where a value may be absent"
)]
fn seconds(milliseconds: Millis) -> Option<f64> {
    Some(milliseconds as f64 / 1000.0)
}

pub(super) fn sources(out: &mut Exposition, sources: &[KindStatus]) {
    let samples = sources.iter().flat_map(|(_, status)| &status.metrics);
    let mut samples: Vec<&SourceMetric> = samples.collect();
    // the samples of a family stand together
    samples.sort_by_key(|sample| sample.family.name);
    for SourceMetric {
        family,
        labels,
        value,
    } in samples
    {
        let labels = labels.iter().map(|(name, text)| (*name, text.as_str()));
        out.family(family.name, MetricKind::of(family.name), family.help);
        out.sample(family.name, &labels.collect::<Vec<_>>(), value);
    }
    states(out, sources);
    table(
        out,
        "usher_source",
        sources,
        |(kind, status)| [("kind", kind.name()), ("source", &status.id)],
        &HEALTH,
    );
}

fn states(out: &mut Exposition, sources: &[KindStatus]) {
    let name = "usher_source_state";
    let help = "1 for the state that a source is in, 0 for the others.";
    out.family(name, MetricKind::Gauge, help);
    for (kind, status) in sources {
        for state in SourceState::ALL {
            let labels = [
                ("kind", kind.name()),
                ("source", status.id.as_str()),
                ("state", state.name()),
            ];
            out.sample(name, &labels, u64::from(status.health.state == state));
        }
    }
}

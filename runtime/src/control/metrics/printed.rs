//! What functions print: named alarms, and metrics in the embedded metric format of `CloudWatch`.

use crate::observation::{AlarmCounts, Exposition, MetricKind, Series};

/// Named alarms, by function; the host's own have no function.
pub(super) fn alarms(out: &mut Exposition, all: &[AlarmCounts]) {
    let name = "usher_alarms_total";
    let help = "Log events with the field alarm.";
    out.family(name, MetricKind::Counter, help);
    for (function, alarm, count) in all.iter().flat_map(AlarmCounts::iter) {
        match function {
            Some(function) => {
                out.sample(name, &[("alarm", alarm), ("function", function)], count);
            }
            None => out.sample(name, &[("alarm", alarm)], count),
        }
    }
}

/// A metric `OrdersStored` of the namespace `Shop` is the summary `emf_shop_orders_stored`, with
/// its dimensions as labels.
pub(super) fn printed(out: &mut Exposition, series: &Series) {
    let names = series.names();
    let mut rows: Vec<_> = series
        .iter()
        .map(|(key, summed)| (names.family_of(&key.1), key, summed))
        .collect();
    // the samples of a family stand together, from all functions
    rows.sort_by_key(|row| row.0);
    for (name, (function, _, unit, dimensions), summed) in rows {
        out.family(
            name,
            MetricKind::Summary,
            "Printed by functions in CloudWatch's embedded metric format.",
        );
        let mut labels = vec![("function", function.as_str()), ("unit", unit.as_str())];
        labels.extend(
            dimensions
                .iter()
                .map(|(dimension, value)| (names.label_of(dimension), value.as_str())),
        );
        out.sample(&format!("{name}_sum"), &labels, summed.sum);
        out.sample(&format!("{name}_count"), &labels, summed.count);
    }
    let help = "Metrics that functions printed and that found no room: too many dimensions.";
    out.single("usher_emf_dropped_total", help, series.dropped());
    let help =
        "Metrics and dimensions that functions named like others: they have a longer name here.";
    out.single("usher_emf_renamed", help, names.renamed());
}

//! Sums of the functions' metrics: a bounded number of series.

use std::collections::BTreeMap;

use super::emf::Point;
use super::names::{MetricNames, Renamed};

/// Maximum of series. Without it, a function with a request id among its dimensions would fill the
/// memory.
pub const MAX_SERIES: usize = 1_000;

/// Count and sum of a series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summed {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// Identifies a series: function, (namespace, metric), unit, dimensions.
type Key = (String, (String, String), String, BTreeMap<String, String>);

/// All series.
#[derive(Debug, Clone, Default)]
pub struct Series {
    sums: BTreeMap<Key, Summed>,
    names: MetricNames,
    dropped: u64,
}

impl Series {
    /// Adds a point. A new series beyond [`MAX_SERIES`] is counted as dropped. Returns the metric
    /// and the dimensions that are new and whose plain name is taken.
    pub fn add(&mut self, function: &str, point: Point) -> Vec<Renamed> {
        let Point {
            metric,
            unit,
            dimensions,
            values,
        } = point;
        let key = (function.to_owned(), metric, unit, dimensions);
        if self.sums.len() >= MAX_SERIES && !self.sums.contains_key(&key) {
            self.dropped += 1;
            return Vec::new();
        }
        let (_, metric, _, dimensions) = &key;
        let mut renamed: Vec<Renamed> = self.names.metric(metric).into_iter().collect();
        renamed.extend(
            dimensions
                .keys()
                .filter_map(|dimension| self.names.dimension(dimension)),
        );
        let summed = self.sums.entry(key).or_default();
        for value in values {
            summed.count += 1;
            summed.sum += value;
        }
        renamed
    }

    /// The names of their metrics and dimensions.
    pub fn names(&self) -> &MetricNames {
        &self.names
    }

    /// All series with their sums.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Summed)> {
        self.sums.iter()
    }

    /// Points dropped beyond the maximum.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(request: usize, value: f64) -> Point {
        Point {
            metric: ("Shop".into(), "Sold".into()),
            unit: "Count".into(),
            dimensions: BTreeMap::from([("Request".into(), request.to_string())]),
            values: vec![value],
        }
    }

    #[test]
    fn series_are_bounded_and_existing_ones_continue() {
        let mut series = Series::default();
        (0..MAX_SERIES + 5).for_each(|request| drop(series.add("F", point(request, 1.0))));
        series.add("F", point(0, 2.5));
        assert_eq!((series.iter().count(), series.dropped()), (MAX_SERIES, 5));
        let first = series
            .iter()
            .find(|((_, _, _, dimensions), _)| dimensions["Request"] == "0")
            .unwrap()
            .1;
        assert_eq!(*first, Summed { count: 2, sum: 3.5 });
    }
}

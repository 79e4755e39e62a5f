//! Unique Prometheus names for metrics and dimensions that functions name freely.
//!
//! Prometheus allows fewer characters, requires unique names of families and labels, and reads
//! `foo_count` and `foo_sum` as parts of a summary `foo`. A name that clashes with an earlier
//! metric in one of these ways ends in eight digits of a hash of the original name. The hash
//! depends on the original name alone, so a renamed series has the same name after each start.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::Exposition;

/// Suffixes of a summary's samples.
const PARTS: [&str; 2] = ["_sum", "_count"];

/// A metric or a dimension whose own name was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// As the function named it.
    pub original: String,
    /// As `/metrics` names it.
    pub name: String,
}

impl fmt::Display for Renamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {} at /metrics: another metric or dimension has its plain name",
            self.original, self.name
        )
    }
}

/// The names assigned so far; they stay until the host ends.
#[derive(Debug, Clone, Default)]
pub struct MetricNames {
    /// Family by namespace and metric.
    families: BTreeMap<(String, String), String>,
    taken_families: BTreeSet<String>,
    /// Label by dimension.
    labels: BTreeMap<String, String>,
    taken_labels: BTreeSet<String>,
    renamed: u64,
}

impl MetricNames {
    /// Assigns a family to a metric that has none.
    pub(super) fn metric(&mut self, metric: &(String, String)) -> Option<Renamed> {
        if self.families.contains_key(metric) {
            return None;
        }
        let (namespace, name) = metric;
        let plain = format!(
            "emf_{}_{}",
            Exposition::name(namespace),
            Exposition::name(name)
        );
        let original = format!("the metric {name} of {namespace}");
        let taken = |name: &str| clashes(name, &self.taken_families);
        let family = free(&plain, &format!("{namespace}\0{name}"), taken);
        let renamed = (family != plain).then(|| Renamed {
            original,
            name: family.clone(),
        });
        self.renamed += u64::from(renamed.is_some());
        self.taken_families.insert(family.clone());
        self.families.insert(metric.clone(), family);
        renamed
    }

    /// Assigns a label to a dimension that has none.
    pub(super) fn dimension(&mut self, dimension: &str) -> Option<Renamed> {
        if self.labels.contains_key(dimension) {
            return None;
        }
        let plain = format!("d_{}", Exposition::name(dimension));
        let label = free(&plain, dimension, |name| self.taken_labels.contains(name));
        let renamed = (label != plain).then(|| Renamed {
            original: format!("the dimension {dimension}"),
            name: label.clone(),
        });
        self.renamed += u64::from(renamed.is_some());
        self.taken_labels.insert(label.clone());
        self.labels.insert(dimension.to_owned(), label);
        renamed
    }

    /// The family of a metric; empty if it has none.
    pub fn family_of(&self, metric: &(String, String)) -> &str {
        self.families.get(metric).map_or("", String::as_str)
    }

    /// The label of a dimension; empty if it has none.
    pub fn label_of(&self, dimension: &str) -> &str {
        self.labels.get(dimension).map_or("", String::as_str)
    }

    /// Metrics and dimensions whose plain name was taken.
    pub fn renamed(&self) -> u64 {
        self.renamed
    }
}

/// Whether the family would be read as a part of another summary, or the reverse.
fn clashes(name: &str, taken: &BTreeSet<String>) -> bool {
    let part = |part: &&str| {
        name.strip_suffix(part).is_some_and(|of| taken.contains(of))
            || taken.contains(&format!("{name}{part}"))
    };
    taken.contains(name) || PARTS.iter().any(part)
}

/// The name, with as many digits of the hash as make it unique.
fn free(plain: &str, original: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(plain) {
        return plain.to_owned();
    }
    let hash = hex::encode(Sha256::digest(original));
    let longer = [8, 16].map(|digits| format!("{plain}_{}", &hash[..digits]));
    longer
        .into_iter()
        .find(|name| !taken(name))
        .unwrap_or_else(|| format!("{plain}_{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families(names: &mut MetricNames, metrics: &[(&str, &str)]) -> Vec<String> {
        let metrics: Vec<_> = metrics
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        for metric in &metrics {
            names.metric(metric);
        }
        metrics
            .iter()
            .map(|metric| names.family_of(metric).to_owned())
            .collect()
    }

    #[test]
    fn a_metric_is_never_part_of_another() {
        for pair in [
            [("Shop", "Foo"), ("Shop", "Foo_count")],
            [("Shop", "FooSum"), ("Shop", "Foo")],
            [("A", "B_C"), ("A_B", "C")],
        ] {
            let mut names = MetricNames::default();
            let found = families(&mut names, &pair);
            assert!(
                !clashes(&found[1], &BTreeSet::from([found[0].clone()])),
                "{found:?}"
            );
            assert_eq!(names.renamed(), 1);
            assert!(
                names
                    .metric(&(pair[1].0.to_owned(), pair[1].1.to_owned()))
                    .is_none(),
                "it is reported once"
            );
        }
    }

    #[test]
    fn a_renamed_metric_keeps_its_name_in_any_order() {
        let mut names = MetricNames::default();
        let first = families(&mut names, &[("S", "foo bar"), ("S", "FooBar")]);
        let mut names = MetricNames::default();
        let second = families(&mut names, &[("S", "foo/bar"), ("S", "FooBar")]);
        assert_eq!(
            (first[1] == second[1], first[0].as_str()),
            (true, "emf_s_foo_bar")
        );
    }

    #[test]
    fn dimensions_that_differ_in_case_have_own_labels() {
        let mut names = MetricNames::default();
        assert_eq!(names.dimension("Env"), None);
        let renamed = names.dimension("env").unwrap();
        assert_eq!(
            (names.label_of("Env"), names.label_of("env")),
            ("d_env", renamed.name.as_str())
        );
        assert!(
            renamed.name.starts_with("d_env_")
                && renamed.to_string().contains("the dimension env is d_env_"),
            "{renamed}"
        );
    }
}

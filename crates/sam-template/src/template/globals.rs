//! Merges the Globals section into a resource's properties as SAM does: a resource's own value has
//! precedence, mappings are merged by key, lists are joined with the global items first. A call of
//! an intrinsic function is one value and is not merged.

use super::calls::call;
use crate::document::{Entry, Kind, Node};

/// Merges a resource's properties over the globals.
pub(super) fn merge(global: &Node, own: &Node) -> Node {
    if call(global).is_some() || call(own).is_some() {
        return own.clone();
    }
    match (&global.kind, &own.kind) {
        (Kind::Map(below), Kind::Map(above)) => {
            let mut entries: Vec<Entry> = Vec::with_capacity(below.len() + above.len());
            for entry in below {
                let value = match above.iter().find(|e| e.key == entry.key) {
                    Some(own) => Entry::new(&own.key, own.line, merge(&entry.value, &own.value)),
                    None => entry.clone(),
                };
                entries.push(value);
            }
            entries.extend(
                above
                    .iter()
                    .filter(|e| !below.iter().any(|b| b.key == e.key))
                    .cloned(),
            );
            Node::map(own.line, entries)
        }
        (Kind::List(below), Kind::List(above)) => Node {
            line: own.line,
            kind: Kind::List(below.iter().chain(above).cloned().collect()),
        },
        _ => own.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Problems, parse_yaml};

    fn read(text: &str) -> Node {
        parse_yaml(text, &Problems::new("t")).unwrap()
    }

    fn strip(node: &Node) -> String {
        match &node.kind {
            Kind::Null => "~".into(),
            Kind::Scalar(text) => text.clone(),
            Kind::List(items) => format!(
                "[{}]",
                items.iter().map(strip).collect::<Vec<_>>().join(",")
            ),
            Kind::Map(entries) => {
                let mut parts: Vec<String> = entries
                    .iter()
                    .map(|e| format!("{}:{}", e.key, strip(&e.value)))
                    .collect();
                parts.sort();
                format!("{{{}}}", parts.join(","))
            }
        }
    }

    #[test]
    fn globals_merge_as_sam_merges_them() {
        let global = read("{T: 3, E: {V: {A: 1, B: 1}}, L: [x], F: {Ref: P}}");
        let own = read("{T: 9, E: {V: {B: 2}}, L: [y], F: {K: v}}");
        assert_eq!(
            strip(&merge(&global, &own)),
            "{E:{V:{A:1,B:2}},F:{K:v},L:[x,y],T:9}"
        );
    }
}

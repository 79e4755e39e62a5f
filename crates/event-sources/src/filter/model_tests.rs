//! The implementation against a second one: a record is flattened into paths with values, a pattern
//! into lists of requirements, one of which must hold in full. Arrays of objects, which flattening
//! does not distinguish, are left out.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Filters;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["", "a", "A", "ab", "Ba", "b"]).prop_map(Value::from),
        (-2..3_i32).prop_map(Value::from),
        Just(json!(1.5)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn record() -> impl Strategy<Value = Value> {
    let list = prop::collection::vec(scalar(), 0..3).prop_map(Value::from);
    let leaf = prop_oneof![3 => scalar(), 1 => list];
    let field = leaf.prop_recursive(2, 8, 3, |inner| {
        prop::collection::btree_map(name(), inner, 0..3)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()))
    });
    prop::collection::btree_map(name(), field, 0..3)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["k", "l", "m"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "A", "b", "ab"])
}

fn rule() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => scalar(),
        1 => text().prop_map(|text| json!({"prefix": text})),
        1 => text().prop_map(|text| json!({"suffix": text})),
        1 => text().prop_map(|text| json!({"equals-ignore-case": text})),
        1 => prop::collection::vec(text(), 1..3).prop_map(|values| json!({"anything-but": values})),
        1 => prop::collection::vec(-2..3_i32, 1..3)
            .prop_map(|values| json!({"anything-but": values})),
        1 => text().prop_map(|text| json!({"anything-but": {"prefix": text}})),
        1 => (-2..2_i32, 1..3_i32)
            .prop_map(|(low, more)| json!({"numeric": [">=", low, "<", low + more]})),
        1 => any::<bool>().prop_map(|wanted| json!({"exists": wanted})),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(rule(), 1..3).prop_map(Value::from);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let fields = prop::collection::btree_map(name(), inner, 1..3).boxed();
        let alternative = prop::option::weighted(0.3, prop::collection::vec(fields.clone(), 2..4));
        (fields, alternative).prop_map(|(fields, alternatives)| {
            let mut object: serde_json::Map<String, Value> = fields.into_iter().collect();
            object.extend(alternatives.map(|several| ("$or".to_owned(), json!(several))));
            Value::Object(object)
        })
    })
    .prop_filter("an object", Value::is_object)
}

/// Every scalar by its path.
fn flatten(value: &Value, path: &str, out: &mut BTreeMap<String, Vec<Value>>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| flatten(value, &format!("{path}/{name}"), out)),
        Value::Array(items) => items.iter().for_each(|item| flatten(item, path, out)),
        scalar => out.entry(path.to_owned()).or_default().push(scalar.clone()),
    }
}

type Requirements = Vec<(String, Vec<Value>)>;

/// The ways in which a pattern can be satisfied.
fn ways(pattern: &Value, path: &str) -> Vec<Requirements> {
    let mut ways = vec![Vec::new()];
    for (name, value) in pattern.as_object().unwrap() {
        let here = format!("{path}/{name}");
        let these: Vec<Requirements> = match value {
            Value::Array(several) if name == "$or" => several
                .iter()
                .flat_map(|one| self::ways(one, path))
                .collect(),
            Value::Array(rules) => vec![vec![(here, rules.clone())]],
            object => self::ways(object, &here),
        };
        ways = ways
            .iter()
            .flat_map(|way| {
                these
                    .iter()
                    .map(|more| [way.clone(), more.clone()].concat())
            })
            .collect();
    }
    ways
}

fn satisfies(value: &Value, rule: &Value) -> bool {
    let Some((operator, operand)) = rule.as_object().map(|fields| fields.iter().next().unwrap())
    else {
        return value == rule
            || value
                .as_f64()
                .zip(rule.as_f64())
                .is_some_and(|(a, b)| a.total_cmp(&b).is_eq());
    };
    let texts = value.as_str().zip(operand.as_str());
    match operator.as_str() {
        "prefix" => texts.is_some_and(|(a, b)| a.get(..b.len()) == Some(b)),
        "suffix" => texts.is_some_and(|(a, b)| a.len() >= b.len() && &a[a.len() - b.len()..] == b),
        "equals-ignore-case" => texts.is_some_and(|(a, b)| a.eq_ignore_ascii_case(b)),
        "anything-but" => match operand {
            Value::Array(values) => values.iter().all(|unwanted| !satisfies(value, unwanted)),
            other => !satisfies(value, other),
        },
        "numeric" => {
            let bound = |at: usize| operand[at].as_f64().unwrap();
            value
                .as_f64()
                .is_some_and(|number| (bound(1)..bound(3)).contains(&number))
        }
        other => panic!("{other}"),
    }
}

fn expected(pattern: &Value, record: &Value) -> bool {
    let mut paths = BTreeMap::new();
    flatten(record, "", &mut paths);
    ways(pattern, "").iter().any(|way| {
        way.iter().all(|(path, rules)| {
            let values = paths.get(path).map(Vec::as_slice).unwrap_or_default();
            rules
                .iter()
                .any(|rule| match rule.get("exists").and_then(Value::as_bool) {
                    Some(wanted) => values.is_empty() != wanted,
                    None => values.iter().any(|value| satisfies(value, rule)),
                })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn both_implementations_agree(pattern in object(), record in record()) {
        let filters = Filters::new("value", &[&json!({ "value": pattern }).to_string()]).unwrap();
        let kept = filters.keep(Some(record.to_string().as_bytes()));
        prop_assert_eq!(kept, expected(&pattern, &record));
    }

    #[test]
    fn any_bytes_match_without_a_panic(
        pattern in object(), bytes in prop::collection::vec(any::<u8>(), 0..40)
    ) {
        let filters = Filters::new("body", &[&json!({ "body": pattern }).to_string()]).unwrap();
        let json = serde_json::from_slice::<Value>(&bytes).is_ok();
        prop_assert!(json || !filters.keep(Some(&bytes)));
    }
}

//! YAML: tags, lines, aliases and errors.

use super::node::{Kind, Node};
use super::problems::Problems;
use super::yaml::parse_yaml;

fn read(text: &str) -> Node {
    let problems = Problems::new("t");
    let node = parse_yaml(text, &problems);
    assert!(!problems.has_errors(), "{problems:?}");
    node.unwrap()
}

fn complaints(text: &str) -> Vec<(usize, String)> {
    let problems = Problems::new("t");
    parse_yaml(text, &problems);
    problems
        .finish()
        .unwrap_err()
        .into_iter()
        .map(|d| (d.line, d.message))
        .collect()
}

#[test]
fn short_tags_read_as_the_long_form_says() {
    let short = read("a: !Sub '${X}-1'\nb: !Join ['-', [!Ref X, y]]\nc: !GetAtt A.Arn\n");
    let long = read(
        "a: {Fn::Sub: '${X}-1'}\nb: {Fn::Join: ['-', [{Ref: X}, y]]}\nc: {Fn::GetAtt: A.Arn}\n",
    );
    assert_eq!(short, long);
}

#[test]
fn every_key_and_value_knows_its_line() {
    let node = read("a:\n  - one\n  - two\nb: {c: d}\n");
    assert_eq!(node.get("a").unwrap().items()[1].line, 3);
    assert_eq!(node.entries()[1].line, 4);
}

#[test]
fn a_short_tag_has_the_line_that_it_stands_on() {
    let node =
        read("a:\n  - !If\n    - X\n    - !Sub\n      y\n    - !Ref\nb: !GetAtt\n  - C\n  - Arn\n");
    let condition = &node.get("a").unwrap().items()[0];
    let items = condition.get("Fn::If").unwrap().items();
    assert_eq!(
        (condition.line, items[0].line, items[1].line, items[2].line),
        (2, 3, 4, 6)
    );
    assert_eq!(items[2].get("Ref").and_then(Node::text), Some(""));
    assert_eq!(node.get("b").unwrap().line, 7);
}

#[test]
fn json_reads_as_yaml() {
    let long = "x".repeat(3000);
    let text = format!(
        "{{\r\n\t\"a\": [\"{long}\", {{\"b\": \"\\ud83c\\udf9f\\/\"}}],\r\n\t\"c\": null\r\n}}"
    );
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(lineless(&read(&text)), json);
    assert_eq!(lineless(&read(&format!("\u{feff}{text}"))), json);
}

#[test]
fn a_quoted_empty_text_is_not_nothing() {
    let node = read("a: ''\nb:\nc: null\n");
    assert_eq!(node.get("a").unwrap().text(), Some(""));
    assert!(node.get("b").is_none() && node.get("c").is_none());
}

#[test]
fn broken_text_unknown_tags_and_repeated_keys_are_named_by_line() {
    assert_eq!(complaints("a: 1\nb: [1, 2\nc: 3\n").len(), 1);
    let found = complaints("a: 1\nb: !Subb x\na: 2\n");
    assert_eq!(
        found[0],
        (
            2,
            "!Subb is not a function this host evaluates. Did you mean !Sub?".into()
        )
    );
    assert_eq!(
        found[1],
        (
            3,
            "a is written twice here (first on line 1). Keep one.".into()
        )
    );
}

#[test]
fn flow_lines_may_stand_at_their_keys_column() {
    let expected = read("a: {b: [x, y], c: {d: e}, f: g h}\n");
    let texts = |node: &Node| format!("{:?}", lineless(node));
    for text in [
        "a:\n  b: [x,\n  y]\n  c: {\n  d: e\n  }\n  f: \"g\n  h\"\n",
        "a:\n  b: [\n  x,\n  y\n  ]\n  c: {\n    d: e\n  }\n  f: 'g\n  h'\n",
        "a:\n  b: [x,\ny]\n  c: {d:\ne}\n  f: g h\n",
        "{\"a\": {\n\"b\": [\n\"x\",\n\"y\"\n],\n\t\"c\": {\"d\": \"e\"}, \"f\": \"g h\"}}\n",
    ] {
        assert_eq!(texts(&read(text)), texts(&expected), "{text}");
    }
    assert_eq!(
        read("a:\n  b: [\n  x,\n  y\n  ]\n")
            .get("a")
            .unwrap()
            .get("b")
            .unwrap()
            .items()[1]
            .line,
        4
    );
}

#[test]
fn yamls_own_tags_keep_text_as_text() {
    let node = read("a: !!str\nb: !!str null\nc: !!null ''\nd: ! ~\ne: !!null\n");
    assert_eq!(
        ["a", "b", "d"].map(|key| node.get(key).and_then(Node::text)),
        [Some(""), Some("null"), Some("~")]
    );
    assert!(node.get("e").is_none());
}

/// The tree as JSON, in which every scalar is text.
pub(super) fn lineless(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Scalar(text) => text.as_str().into(),
        Kind::List(items) => items.iter().map(lineless).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), lineless(&entry.value)))
            .collect(),
    }
}

#[test]
fn an_alias_bomb_is_refused_before_it_grows() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let before = format!("*a{}", i - 1);
        text.extend([format!("a{i}: &a{i} [{}]\n", vec![before; 10].join(", "))]);
    }
    assert!(complaints(&text)[0].1.contains("aliases"));
}

proptest::proptest! {
    #[test]
    fn any_text_ends_in_a_tree_or_a_complaint(text in "[ -~\\n]{0,200}") {
        let problems = Problems::new("t");
        let node = parse_yaml(&text, &problems);
        proptest::prop_assert!(node.is_some() || problems.has_errors());
    }
}

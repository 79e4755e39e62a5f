//! Differences from `serde_json`, and the lack of others.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{from_slice, from_str, from_value};

#[derive(Debug, Deserialize, PartialEq)]
struct Point {
    x: i64,
    #[serde(default)]
    y: Option<u8>,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Shape {
    Empty,
    Dot(Point),
    Pair(Point, Point),
    Circle { center: Point, radius: f64 },
}

#[derive(Debug, Deserialize, PartialEq)]
struct Id(String);

#[derive(Debug, Deserialize)]
struct Borrowed<'a> {
    text: &'a str,
    #[serde(borrow)]
    raw: &'a RawValue,
}

fn point(x: i64) -> Point {
    Point { x, y: None }
}

#[test]
fn structs_are_refused_from_arrays_at_any_depth() {
    assert_eq!(
        from_str::<Point>(r#"{"x": 1, "z": [2]}"#).unwrap(),
        point(1)
    );
    for array in ["[1]", "[1, 2]", "[]"] {
        assert!(from_str::<Point>(array).is_err(), "{array}");
        assert!(
            from_slice::<Option<Point>>(array.as_bytes()).is_err(),
            "{array}"
        );
        assert!(
            from_str::<Vec<Point>>(&format!("[{array}]")).is_err(),
            "{array}"
        );
        assert!(
            from_str::<BTreeMap<String, Point>>(&format!(r#"{{"a": {array}}}"#)).is_err(),
            "{array}"
        );
        assert!(
            from_str::<(Point, u8)>(&format!("[{array}, 1]")).is_err(),
            "{array}"
        );
        assert!(
            from_value::<Point>(serde_json::from_str(array).unwrap()).is_err(),
            "{array}"
        );
        assert!(
            from_value::<Vec<Point>>(serde_json::from_str(&format!("[{array}]")).unwrap()).is_err(),
            "{array}"
        );
        assert!(
            from_str::<Shape>(&format!(r#"{{"Dot": {array}}}"#)).is_err(),
            "{array}"
        );
    }
    assert!(from_str::<Shape>(r#"{"Circle": [{"x": 1}, 2]}"#).is_err());
    assert!(from_str::<Shape>(r#"{"Circle": {"center": [1], "radius": 2}}"#).is_err());
}

#[test]
fn other_types_are_read_as_by_serde_json() {
    assert_eq!(from_str::<Shape>(r#""Empty""#).unwrap(), Shape::Empty);
    assert_eq!(
        from_str::<Shape>(r#"{"Dot": {"x": 1}}"#).unwrap(),
        Shape::Dot(point(1))
    );
    assert_eq!(
        from_str::<Shape>(r#"{"Pair": [{"x": 1}, {"x": 2}]}"#).unwrap(),
        Shape::Pair(point(1), point(2))
    );
    let circle = Shape::Circle {
        center: point(1),
        radius: 2.5,
    };
    assert_eq!(
        from_str::<Shape>(r#"{"Circle": {"center": {"x": 1}, "radius": 2.5}}"#).unwrap(),
        circle
    );
    assert_eq!(
        from_str::<(Id, u8)>(r#"["a", 2]"#).unwrap(),
        (Id("a".into()), 2)
    );
    let text = r#"{"text": "t", "raw": [1,  {"a": null}]}"#;
    let borrowed: Borrowed<'_> = from_str(text).unwrap();
    assert_eq!(
        (borrowed.text, borrowed.raw.get()),
        ("t", r#"[1,  {"a": null}]"#)
    );
    let boxed: Box<RawValue> = from_slice(b" [1] ").unwrap();
    assert_eq!(boxed.get(), "[1]");
    for text in [
        "null",
        "[1, -2, 3.5, 18446744073709551615]",
        r#"{"a": {"b": ["\u00e9", true]}}"#,
    ] {
        assert_eq!(
            from_str::<Value>(text).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }
}

#[test]
fn errors_have_a_position() {
    let error = from_str::<Point>("[1]").unwrap_err().to_string();
    assert!(
        error.contains("expected a JSON object") && error.contains("line 1"),
        "{error}"
    );
    assert!(
        from_str::<Point>(r#"{"x": 1} 2"#)
            .unwrap_err()
            .to_string()
            .contains("trailing characters")
    );
}

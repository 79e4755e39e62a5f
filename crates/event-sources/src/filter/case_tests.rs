//! The language, one rule at a time.

use super::*;

fn kept(pattern: &str, data: &str) -> bool {
    Filters::new("value", &[pattern])
        .unwrap_or_else(|wrong| panic!("{pattern}: {wrong:?}"))
        .keep(Some(data.as_bytes()))
}

#[test]
fn each_rule_keeps_matching_records_only() {
    // rule of the field `a`, records that it keeps, records that it does not
    let table: [(&str, &[&str], &[&str]); 29] = [
        (
            "[\"x\"]",
            &[r#"{"a":"x"}"#, r#"{"a":["y","x"]}"#],
            &[r#"{"a":"X"}"#, r#"{"a":1}"#, "{}", r#"{"a":{"x":1}}"#],
        ),
        (
            "[1]",
            &[r#"{"a":1}"#, r#"{"a":1.0}"#, r#"{"a":1e0}"#],
            &[r#"{"a":"1"}"#, r#"{"a":true}"#],
        ),
        (
            "[true]",
            &[r#"{"a":true}"#],
            &[r#"{"a":"true"}"#, r#"{"a":false}"#],
        ),
        (
            "[null]",
            &[r#"{"a":null}"#],
            &["{}", r#"{"a":""}"#, r#"{"a":"null"}"#],
        ),
        ("[\"\"]", &[r#"{"a":""}"#], &["{}", r#"{"a":null}"#]),
        (
            r#"["x", {"prefix": "yy"}]"#,
            &[r#"{"a":"x"}"#, r#"{"a":"yyz"}"#],
            &[r#"{"a":"y"}"#],
        ),
        (
            r#"[{"prefix": "ab"}]"#,
            &[r#"{"a":"ab"}"#, r#"{"a":"abc"}"#],
            &[r#"{"a":"Abc"}"#, r#"{"a":"cab"}"#],
        ),
        (
            r#"[{"prefix": {"equals-ignore-case": "AB"}}]"#,
            &[r#"{"a":"aBc"}"#],
            &[r#"{"a":"cab"}"#],
        ),
        (
            r#"[{"suffix": ".png"}]"#,
            &[r#"{"a":"x.png"}"#],
            &[r#"{"a":"x.PNG"}"#, r#"{"a":"x.png "}"#],
        ),
        (
            r#"[{"suffix": {"equals-ignore-case": ".PNG"}}]"#,
            &[r#"{"a":"x.pNg"}"#],
            &[r#"{"a":"png"}"#],
        ),
        (
            r#"[{"equals-ignore-case": "Ab"}]"#,
            &[r#"{"a":"aB"}"#],
            &[r#"{"a":"abc"}"#, r#"{"a":1}"#],
        ),
        (
            r#"[{"anything-but": "x"}]"#,
            &[r#"{"a":"y"}"#, r#"{"a":1}"#, r#"{"a":["x","y"]}"#],
            &[r#"{"a":"x"}"#, "{}"],
        ),
        (
            r#"[{"anything-but": ["x", "z"]}]"#,
            &[r#"{"a":"y"}"#, r#"{"a":1}"#],
            &[r#"{"a":"x"}"#, r#"{"a":"z"}"#],
        ),
        (
            r#"[{"anything-but": [1, 2.5]}]"#,
            &[r#"{"a":2}"#, r#"{"a":"1"}"#],
            &[r#"{"a":1.0}"#, r#"{"a":2.5}"#],
        ),
        (
            "[9007199254740993]",
            &[r#"{"a":9007199254740993}"#],
            &[r#"{"a":9007199254740992}"#, r#"{"a":9007199254740994}"#],
        ),
        (
            r#"[{"anything-but": 9007199254740993}]"#,
            &[r#"{"a":9007199254740992}"#],
            &[r#"{"a":9007199254740993}"#],
        ),
        (
            r#"[{"numeric": [">", 9007199254740992]}]"#,
            &[r#"{"a":9007199254740993}"#],
            &[r#"{"a":9007199254740992}"#],
        ),
        (
            r#"[{"numeric": ["=", 18446744073709551615]}]"#,
            &[r#"{"a":18446744073709551615}"#],
            &[r#"{"a":18446744073709551614}"#],
        ),
        (
            r#"[{"anything-but": {"equals-ignore-case": ["X", ""]}}]"#,
            &[r#"{"a":"y"}"#],
            &[r#"{"a":"x"}"#, r#"{"a":""}"#],
        ),
        (
            r#"[{"anything-but": {"prefix": "x"}}]"#,
            &[r#"{"a":"yx"}"#],
            &[r#"{"a":"xy"}"#],
        ),
        (
            r#"[{"anything-but": {"suffix": ["x", "y"]}}]"#,
            &[r#"{"a":"xz"}"#],
            &[r#"{"a":"zx"}"#, r#"{"a":"zy"}"#],
        ),
        (
            r#"[{"anything-but": {"equals-ignore-case": "X"}}]"#,
            &[r#"{"a":"y"}"#],
            &[r#"{"a":"x"}"#],
        ),
        (
            r#"[{"numeric": ["=", 3]}]"#,
            &[r#"{"a":3.0}"#],
            &[r#"{"a":"3"}"#, r#"{"a":4}"#],
        ),
        (
            r#"[{"numeric": [">", 0, "<=", 5]}]"#,
            &[r#"{"a":5}"#, r#"{"a":0.1}"#],
            &[r#"{"a":0}"#, r#"{"a":5.1}"#],
        ),
        (
            r#"[{"numeric": ["<", -1]}]"#,
            &[r#"{"a":-2}"#],
            &[r#"{"a":-1}"#],
        ),
        (
            r#"[{"exists": true}]"#,
            &[r#"{"a":null}"#, r#"{"a":[1]}"#],
            &["{}", r#"{"a":[]}"#, r#"{"a":{"b":1}}"#],
        ),
        (
            r#"[{"exists": false}]"#,
            &["{}", r#"{"b":1}"#],
            &[r#"{"a":null}"#, r#"{"a":0}"#],
        ),
        (
            r#"{"b": [1]}"#,
            &[r#"{"a":{"b":1,"c":2}}"#, r#"{"a":[{"b":2},{"b":1}]}"#],
            &[r#"{"a":1}"#, r#"{"a":{"b":2}}"#],
        ),
        (
            r#"{"b": [1], "c": [2]}"#,
            &[r#"{"a":[{"b":1,"c":2}]}"#],
            &[r#"{"a":[{"b":1},{"c":2}]}"#],
        ),
    ];
    for (rule, keeps, drops) in table {
        let pattern = format!(r#"{{"value": {{"a": {rule}}}}}"#);
        for data in keeps {
            assert!(kept(&pattern, data), "{rule} must keep {data}");
        }
        for data in drops {
            assert!(!kept(&pattern, data), "{rule} must not keep {data}");
        }
    }
}

#[test]
fn fields_are_a_conjunction_alternatives_a_disjunction() {
    let pattern = r#"{"value": {"k": ["o"], "$or": [
        {"a": [1]}, {"b": {"c": [2], "$or": [{"d": [3]}, {"e": [4]}]}}
    ]}}"#;
    assert!(kept(pattern, r#"{"k":"o","a":1}"#));
    assert!(kept(pattern, r#"{"k":"o","b":{"c":2,"e":4}}"#));
    assert!(!kept(pattern, r#"{"k":"o","b":{"c":2}}"#));
    assert!(!kept(pattern, r#"{"a":1}"#));
    assert!(kept(
        r#"{"$or": [{"value": ["x"]}, {"value": {"a": [1]}}]}"#,
        r#"{"a":1}"#
    ));
    let several = Filters::new("body", &[r#"{"body": ["x"]}"#, r#"{"body": ["y"]}"#]).unwrap();
    assert!(several.keep(Some(b"y")) && !several.keep(Some(b"z")));
}

#[test]
fn a_record_of_another_format_is_dropped() {
    let text = r#"{"value": [{"prefix": "{"}, "7"]}"#;
    let json = r#"{"value": {"a": [{"exists": false}]}}"#;
    assert!(
        kept(text, "7") && kept(text, "{no json"),
        "text, a lone number too"
    );
    assert!(!kept(text, "{}"), "JSON where the pattern compares text");
    assert!(!kept(json, "plain") && kept(json, "{}") && kept(json, " [] "));
    for pattern in [text, json] {
        let filters = Filters::new("value", &[pattern]).unwrap();
        assert!(
            !filters.keep(Some(&[0xff, 0xfe])) && !filters.keep(None),
            "{pattern}"
        );
    }
    assert!(
        Filters::new("value", &[r#"{"value": [{"exists": false}]}"#])
            .unwrap()
            .keep(None)
    );
}

#[test]
fn a_refused_pattern_names_its_remedy() {
    let table = [
        ("{", "is not JSON"),
        ("[]", "is a list, not an object"),
        ("{}", "is empty"),
        (r#"{"key": ["x"]}"#, "looks into value only"),
        (r#"{"value": "x"}"#, r#""value": ["x"]"#),
        (r#"{"value": []}"#, "an empty list"),
        (r#"{"value": {}}"#, "is empty"),
        (r#"{"value": [["x"]]}"#, "is no rule"),
        (r#"{"value": [{"prefix": 1}]}"#, "prefix takes text"),
        (r#"{"value": [{"prefx": "a"}]}"#, "did you mean prefix?"),
        (
            r#"{"value": [{"wildcard": "a*"}]}"#,
            "is for rules of EventBridge",
        ),
        (r#"{"value": [{"exists": "yes"}]}"#, "true or false"),
        (r#"{"value": [{"numeric": [">"]}]}"#, "one comparison"),
        (r#"{"value": [{"numeric": ["~", 1]}]}"#, "one comparison"),
        (r#"{"value": [{"anything-but": []}]}"#, "anything-but takes"),
        (
            r#"{"value": [{"anything-but": {"numeric": ["<", 1]}}]}"#,
            "anything-but takes",
        ),
        (
            r#"{"value": {"$or": {"a": [1]}}}"#,
            "takes a list of at least two objects",
        ),
        (
            r#"{"value": {"a": [1], "a": [2]}}"#,
            "two values under one name: a is written twice",
        ),
        (
            r#"{"value": ["x"], "value": ["y"]}"#,
            "two values under one name: value is written twice",
        ),
    ];
    for (pattern, words) in table {
        let (at, wrong) = Filters::new("value", &[r#"{"value": ["fine"]}"#, pattern]).unwrap_err();
        let wrong = wrong.to_string();
        assert!(at == 1 && wrong.contains(words), "{pattern}: {wrong}");
    }
    refused_as_event_ruler_does(&[
        r#"{"numeric": ["<", 5, ">", 0]}"#,
        r#"{"numeric": [">", 5, "<", 0]}"#,
        r#"{"numeric": [">", 5, "<", 5]}"#,
        r#"{"numeric": [">=", 5, "<=", 5]}"#,
        r#"{"numeric": [">", 0, ">", 5]}"#,
        r#"{"numeric": ["=", 0, "<", 5]}"#,
        r#"{"numeric": [">", 0, "=", 5]}"#,
        r#"{"numeric": ["=", 1, "=", 1]}"#,
        r#"{"numeric": [">", 0, "<", 5, "<", 6]}"#,
        r#"{"numeric": [">", "0"]}"#,
        r#"{"numeric": [">", null]}"#,
        r#"{"numeric": [0, ">"]}"#,
        r#"{"numeric": []}"#,
        r#"{"numeric": 3}"#,
        r#"{"numeric": {"=": 3}}"#,
        r#"{"anything-but": null}"#,
        r#"{"anything-but": true}"#,
        r#"{"anything-but": [null]}"#,
        r#"{"anything-but": ["a", null]}"#,
        r#"{"anything-but": [true, false]}"#,
        r#"{"anything-but": ["a", 1]}"#,
        r#"{"anything-but": [["a"]]}"#,
        r#"{"anything-but": {}}"#,
        r#"{"anything-but": {"prefix": ""}}"#,
        r#"{"anything-but": {"suffix": ["a", ""]}}"#,
        r#"{"anything-but": {"prefix": []}}"#,
        r#"{"anything-but": {"prefix": 1}}"#,
        r#"{"anything-but": {"prefix": "a", "suffix": "b"}}"#,
        r#"{"anything-but": {"equals-ignore-case": 1}}"#,
        r#"{"anything-but": {"wildcard": "a*"}}"#,
        r#"{"prefix": "a", "suffix": "b"}"#,
        r#"{"prefix": "a", "prefix": "b"}"#,
        r#"{"anything-but": {"prefix": "a", "prefix": "b"}}"#,
        r#"{"prefix": {"equals-ignore-case": "a", "x": "b"}}"#,
        r#"{"prefix": {"suffix": "a"}}"#,
        r#"{"prefix": ["a"]}"#,
        r#"{"suffix": null}"#,
        r#"{"suffix": {"equals-ignore-case": 1}}"#,
        r#"{"equals-ignore-case": ["a"]}"#,
        r#"{"exists": 1}"#,
        r#"{"exists": true, "prefix": "a"}"#,
        r#"{"cidr": "10.0.0.0/8"}"#,
        r#"{"regex": "a"}"#,
        "{}",
        "[1]",
    ]);
    let long = format!(r#"{{"value": ["{}"]}}"#, "x".repeat(MAX_PATTERN_BYTES));
    assert!(
        Filters::new("value", &[&long])
            .unwrap_err()
            .1
            .to_string()
            .contains("at most 4096")
    );
}

/// Each as a rule of the whole field, of a field inside, and inside of `$or`.
fn refused_as_event_ruler_does(rules: &[&str]) {
    for rule in rules {
        for pattern in [
            format!(r#"{{"value": [{rule}]}}"#),
            format!(r#"{{"value": {{"a": {{"b": ["fine", {rule}]}}}}}}"#),
            format!(r#"{{"value": {{"$or": [{{"a": [1]}}, {{"b": [{rule}]}}]}}}}"#),
        ] {
            assert!(Filters::new("value", &[&pattern]).is_err(), "{pattern}");
        }
    }
}

#[test]
fn or_takes_two_objects_without_operators_as_names() {
    for or in [
        r#"[{"a": [1]}]"#,
        "[]",
        "[{}, {}]",
        r#"[{"a": [1]}, {}]"#,
        r#"[{"a": [1]}, "b"]"#,
        r#"[{"a": [1]}, [{"b": [1]}]]"#,
        r#"[{"prefix": ["a"]}, {"b": [1]}]"#,
        r#"[{"a": [1]}, {"b": {"numeric": [1]}}]"#,
        r#"[{"a": [1]}, {"$or": [{"b": [1]}]}]"#,
    ] {
        let pattern = format!(r#"{{"value": {{"$or": {or}}}}}"#);
        assert!(Filters::new("value", &[&pattern]).is_err(), "{pattern}");
    }
    assert!(Filters::new("value", &[r#"{"$or": [{"value": ["x"]}]}"#]).is_err());
    // outside of $or they are names like any other
    assert!(kept(
        r#"{"value": {"prefix": ["a"]}}"#,
        r#"{"prefix": "a"}"#
    ));
}

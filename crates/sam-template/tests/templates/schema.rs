//! Each property of SAM's schema given each wrong kind of value.
//!
//! The properties come from the JSON schema of aws-sam-translator, through `scripts/shapes`.
//! `docs/reference/conformance/kinds.md` lists what is tolerated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use sam_template::model::Diagnostic;
use sam_template::project::Project;
use sam_template::template;

/// A value of each kind: its name in the documentation, and how YAML writes it.
const SAMPLES: [(&str, &str); 8] = [
    ("text", "word"),
    ("number", "7"),
    ("flag", "true"),
    ("list", "[word]"),
    ("map", "{Word: word}"),
    ("null", "null"),
    ("empty list", "[]"),
    ("empty text", "''"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Path and kinds of every property, fresh from the packages that `scripts/setup` installs.
fn schema() -> String {
    let output = Command::new(root().join("scripts/shapes"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "scripts/shapes: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn properties(schema: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let lines = schema.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(path, kinds)| (path, kinds.split('|').collect()))
}

/// Whether a property of these kinds takes the sample. Numbers and booleans are text as well, as
/// `CloudFormation` converts them.
fn takes(kinds: &[&str], sample: &str) -> bool {
    let has = |kind: &str| kinds.iter().any(|own| own.trim_end_matches('!') == kind);
    match sample {
        "text" => has("text"),
        "number" | "flag" => has("text") || has(sample),
        "empty text" => kinds.contains(&"text"),
        "empty list" => kinds.contains(&"list"),
        "null" => false,
        kind => has(kind),
    }
}

/// A template in which the value at a path stands on a line of its own; `@` marks it.
fn around(path: &str) -> String {
    let (whole, inside) = path.split_once('/').unwrap_or((path, ""));
    let transform = r#""Transform": "AWS::Serverless-2016-10-31""#;
    let resource = |kind: &str, base: &str| {
        let own = if inside.is_empty() {
            "\"Properties\":\n@\n".to_owned()
        } else {
            format!("\"Properties\": {{{base}{}}}", nested(inside))
        };
        format!(r#"{{{transform}, "Resources": {{"Name": {{"Type": "{kind}", {own}}}}}}}"#)
    };
    let base = r#""Runtime": "provided.al2023", "CodeUri": "worker", "#;
    let base: String = base
        .split_inclusive(", ")
        .filter(|pair| !pair.starts_with(&format!("\"{inside}")))
        .collect();
    match whole.strip_prefix("event:") {
        Some(kind) => {
            let properties = if inside.is_empty() {
                "\n@\n".to_owned()
            } else {
                format!("{{{}}}", nested(inside))
            };
            let event =
                format!(r#""Events": {{"E": {{"Type": "{kind}", "Properties": {properties}}}}}"#);
            format!(
                r#"{{{transform}, "Resources": {{"Name": {{"Type": "AWS::Serverless::Function", "Properties": {{{base}{event}}}}}}}}}"#
            )
        }
        None if whole.starts_with("AWS::Serverless::Function") => resource(whole, &base),
        None if whole.starts_with("AWS::") => resource(whole, ""),
        None if whole == "Resources" => format!("{{{transform}, {}}}", nested(path)),
        None => format!(
            r#"{{{transform}, "Resources": {{"Q": {{"Type": "AWS::SNS::Topic"}}}}, {}}}"#,
            nested(path)
        ),
    }
}

/// `"A": {"B": [...]}` down to the value.
fn nested(path: &str) -> String {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let lists = first.matches("[]").count();
    let key = first.trim_end_matches("[]").replace('*', "Name");
    let open = "[".repeat(lists);
    let close = "]".repeat(lists);
    match (rest, lists) {
        ("", 0) => format!("\n\"{key}\": @\n"),
        ("", _) => format!("\"{key}\": {open}\n@\n{close}"),
        _ => format!("\"{key}\": {open}{{{}}}{close}", nested(rest)),
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    /// Errors about the line of the value.
    fn errors(&self, path: &str, sample: &str) -> Vec<Diagnostic> {
        let marked = around(path);
        let line = marked[..marked.find('@').unwrap()].matches('\n').count() + 1;
        let file = self.0.path().join("template.yaml");
        std::fs::write(&file, marked.replacen('@', sample, 1)).unwrap();
        let found = template::load(&file, &Project::default())
            .err()
            .unwrap_or_default();
        found
            .into_iter()
            .filter(|error| error.line == line)
            .collect()
    }
}

/// What the documentation lists, `` - `PATH`: kinds ``, for these properties; `<name>` in a path
/// stands for any name.
fn documented<'s>(paths: impl Iterator<Item = &'s str>) -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("docs/reference/conformance/kinds.md")).unwrap();
    let (_, section) = text.split_once("## Kinds that are tolerated").unwrap();
    let lines = section
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("- `"));
    let entries: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once("`: ")).collect();
    let paths: Vec<&str> = paths.collect();
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (written, kinds) in entries {
        let pattern = written
            .split('<')
            .map(|part| regex::escape(part.split_once('>').map_or(part, |(_, rest)| rest)));
        let pattern = Regex::new(&format!(
            "^{}$",
            pattern.collect::<Vec<_>>().join(r"[^/\[\]]+")
        ))
        .unwrap();
        let mut matching = paths
            .iter()
            .filter(|path| pattern.is_match(path))
            .peekable();
        assert!(
            matching.peek().is_some(),
            "docs/reference/conformance/kinds.md names {written}, which no schema has"
        );
        for path in matching {
            documented
                .entry((*path).to_owned())
                .or_default()
                .extend(kinds.split(", ").map(str::to_owned));
        }
    }
    documented
}

#[test]
fn kinds_come_from_the_schema_of_sam() {
    let table =
        std::fs::read_to_string(root().join("crates/sam-template/src/template/shapes/shapes.txt"))
            .unwrap();
    assert!(
        table == schema(),
        "shapes.txt is not what the installed packages say. Run `scripts/shapes --write`."
    );
}

#[test]
fn every_property_refuses_wrong_kinds_with_its_line() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let schema = schema();
    let mut tolerated: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut count = 0;
    let mut unclear = Vec::new();
    for (path, kinds) in properties(&schema) {
        for (name, sample) in SAMPLES {
            if takes(&kinds, name) {
                continue;
            }
            count += 1;
            let errors = folder.errors(path, sample);
            let key = path
                .rsplit('/')
                .next()
                .unwrap()
                .trim_end_matches("[]")
                .replace('*', "Name");
            if errors.is_empty() {
                tolerated
                    .entry(path.to_owned())
                    .or_default()
                    .insert(name.to_owned());
            } else if !errors.iter().any(|error| {
                error.message.contains(&key) || path.contains(':') && !path.contains('/')
            }) {
                unclear.push(format!("{path} = {sample}: {errors:?}"));
            }
        }
    }
    assert!(count > 4_000, "{count} wrong values");
    assert!(
        unclear.is_empty(),
        "errors that do not name the property:\n{}",
        unclear.join("\n")
    );
    let documented = documented(properties(&schema).map(|(path, _)| path));
    let lines = |only: &BTreeMap<String, BTreeSet<String>>,
                 other: &BTreeMap<String, BTreeSet<String>>| {
        let differ = only
            .iter()
            .filter(|(path, kinds)| other.get(*path) != Some(*kinds));
        let lines = differ.map(|(path, kinds)| {
            format!(
                "- `{path}`: {}",
                kinds.iter().cloned().collect::<Vec<_>>().join(", ")
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let missing = lines(&tolerated, &documented);
    let wrong = lines(&documented, &tolerated);
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "tolerated, and not in docs/reference/conformance/kinds.md:\n{missing}\nthere, and not \
         tolerated:\n{wrong}"
    );
}

/// A mapping in long hand is left out: which of its properties mean something depends on the
/// source.
#[test]
fn every_property_of_the_schema_is_known() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let schema = schema();
    let mut unknown = Vec::new();
    for (path, kinds) in properties(&schema)
        .filter(|(path, _)| !path.starts_with("AWS::Lambda::EventSourceMapping/"))
    {
        let Some((_, sample)) = SAMPLES.iter().find(|(name, _)| takes(&kinds, name)) else {
            continue;
        };
        let key = path.rsplit('/').next().unwrap().trim_end_matches("[]");
        let says = format!("does not support {key}.");
        let errors = folder
            .errors(path, sample)
            .into_iter()
            .filter(|error| error.message.contains(&says));
        unknown.extend(errors.map(|error| format!("{path}: {error}")));
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

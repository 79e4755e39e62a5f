//! Each property of SAM's schema given each wrong kind of value.
//!
//! The properties come from the JSON schema of aws-sam-translator, through `scripts/shapes`. What is tolerated stands in
//! `docs/reference/conformance/kinds.md`, and in no other place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use usher::model::Diagnostic;
use usher::project::{Arguments, Project};
use usher::template;

use crate::template::{ENDPOINT, complaints, function, good};

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
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
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

/// Whether a property of these kinds takes the sample. Numbers and booleans are text as well, as `CloudFormation` converts them.
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

/// What the documentation lists, `` - `PATH`: kinds ``, for these properties; `<name>` in a path stands for any name.
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

/// Inputs that were read as if nothing was written. The function's properties, the settings, the line, words of the message.
#[test]
fn wrong_shapes_are_not_taken_for_absent() {
    let queue = |more: &str| {
        format!(
            "Events: {{E: {{Type: SQS, Properties: {{Queue: 'arn:aws:sqs:us-east-1:000000000000:q', {more}}}}}}}"
        )
    };
    let kafka = |more: &str| {
        format!(
            "Events: {{E: {{Type: SelfManagedKafka, Properties: {{KafkaBootstrapServers: ['127.0.0.1:1'], Topics: [t], {more}}}}}}}"
        )
    };
    let table = [
        (
            queue("FilterCriteria: {Filters: {Pattern: '{}'}}"),
            9,
            "Filters must be a list, not a mapping",
        ),
        (
            queue("FilterCriteria: []"),
            9,
            "FilterCriteria must be a mapping, not a list",
        ),
        (
            queue("FilterCriteria: {Filters: ['{}']}"),
            9,
            "Filters must be a list of mappings, not '{}'",
        ),
        (
            queue("FilterCriteria: {Filters: [{Pattern: {body: [a]}}]}"),
            9,
            "Pattern must be text, not a mapping",
        ),
        (
            queue("FunctionResponseTypes: ReportBatchItemFailures"),
            9,
            "FunctionResponseTypes must be a list",
        ),
        (
            queue("MetricsConfig: EventCount"),
            9,
            "MetricsConfig must be a mapping, not 'EventCount'",
        ),
        (
            kafka("SourceAccessConfigurations: {Type: BASIC_AUTH}"),
            9,
            "SourceAccessConfigurations must be a list",
        ),
        (
            kafka("DestinationConfig: none"),
            9,
            "DestinationConfig must be a mapping, not 'none'",
        ),
        (
            "Events: [{Type: SQS}]".into(),
            9,
            "Events must be a mapping, not a list",
        ),
        (
            "Events: {E: {Type: Schedule, Properties: {Schedule: rate(1 day), Name: my tick}}}"
                .into(),
            9,
            "'my tick'",
        ),
        (
            "Handler: !Ref L".into(),
            9,
            "Handler must be text, not a list",
        ),
        (
            "Timeout: !Ref T".into(),
            9,
            "Timeout must be a whole number from 1 to 900, not 't'",
        ),
        (
            "Environment: !Ref T".into(),
            9,
            "Environment must be a mapping, not 't'",
        ),
        (
            kafka("FunctionResponseTypes: !Ref T"),
            9,
            "FunctionResponseTypes must be a list, not 't'",
        ),
        (
            "Events: !If [On, {E: {Type: HttpApi}}, {}]".into(),
            9,
            "SAM evaluates no Fn::If here",
        ),
        (
            "Events: {E: [SQS]}".into(),
            9,
            "event Worker.E must be a mapping",
        ),
        (
            "Events: {E: {Type: [SQS]}}".into(),
            9,
            "Type must be text, not a list",
        ),
        (
            "Events: {E: {Type: HttpApi, Properties: get}}".into(),
            9,
            "Properties must be a mapping, not 'get'",
        ),
        (
            "Events: {E: {Type: HttpApi, Properties: null}}".into(),
            9,
            "CloudFormation takes no null",
        ),
        (
            "Environment: {Variables: null}".into(),
            9,
            "CloudFormation takes no null",
        ),
        ("Handler: [b]".into(), 9, "Handler must be text, not a list"),
        (
            "LoggingConfig: JSON".into(),
            9,
            "LoggingConfig must be a mapping, not 'JSON'",
        ),
        (
            "LoggingConfig: {LogFormat: [JSON]}".into(),
            9,
            "LogFormat must be text, not a list",
        ),
        ("Tags: [a]".into(), 9, "Tags must be a mapping, not a list"),
        (
            "VpcConfig: {SubnetIds: subnet}".into(),
            9,
            "SubnetIds must be a list, not 'subnet'",
        ),
        (
            "Tags: !If [On, [a], {b: c}]".into(),
            9,
            "Tags must be a mapping, not a list",
        ),
        (
            "Architectures: arm64".into(),
            9,
            "Architectures must be a list",
        ),
        ("FunctionName: my worker".into(), 9, "'my worker'"),
        (format!("FunctionName: {}", "w".repeat(65)), 9, "up to 64"),
        ("FunctionName: ''".into(), 9, "FunctionName"),
        (
            "FunctionUrlConfig: {AuthType: NONE, Cors: all}".into(),
            9,
            "Cors must be a mapping, not 'all'",
        ),
        (
            "DeadLetterQueue: {Type: Kafka, TargetArn: 'arn:aws:sqs:us-east-1:000000000000:q'}"
                .into(),
            9,
            "Type is SQS or SNS",
        ),
    ];
    let conditions = "Conditions: {On: !Equals [a, a]}\nParameters: {T: {Type: String, Default: t}, L: {Type: CommaDelimitedList, Default: 'a,b'}}\n";
    for (properties, line, words) in table {
        let text = function(&properties) + conditions;
        let found = complaints(&text, ENDPOINT);
        assert!(
            matches!(&found[..], [(at, message)] if *at == line && message.contains(words)),
            "{properties}: {found:?}"
        );
    }
    let route = function(
        "Events: {E: {Type: HttpApi, Properties: {Path: /, Method: get, ApiId: !Ref Api}}}",
    );
    for (more, words) in [
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {CorsConfiguration: all}}\n",
            "must be true, false or a mapping",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {Auth: {Authorizers: [jwt]}}}\n",
            "Authorizers must be a mapping",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {Auth: {Authorizers: {A: jwt}}}}\n",
            "A must be a mapping, not 'jwt'",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {StageName: my stage}}\n",
            "'my stage'",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Propertes: {StageName: a}}\n",
            "Did you mean Properties?",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: [a]}\n",
            "Properties must be a mapping, not a list",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi'}\n  T: {Type: 'AWS::SNS::Topic', Condition: [On]}\n",
            "Condition must be text",
        ),
    ] {
        let found = complaints(&(route.clone() + more), "");
        let line = route.lines().count() + more.lines().count();
        assert!(
            found.iter().all(|(at, _)| *at == line) && found.iter().any(|(_, m)| m.contains(words)),
            "{more}: {found:?}"
        );
    }
    for (section, words) in [
        ("Parameters: [A]\n", "Parameters must be a mapping"),
        ("Parameters: {A: text}\n", "A must be a mapping"),
        (
            "Parameters: {A: {Type: String, Default: [a]}}\n",
            "Default must be text",
        ),
        (
            "Parameters: {A: {Type: String, Default: a, AllowedValues: a}}\n",
            "AllowedValues must be a list",
        ),
        ("Mappings: [A]\n", "Mappings must be a mapping"),
        ("Mappings: {A: {B: c}}\n", "B must be a mapping"),
        ("Conditions:\n", "Conditions has no value"),
        ("Outputs: {A: text}\n", "A must be a mapping"),
        (
            "Globals: {Function: [Timeout]}\n",
            "Function must be a mapping",
        ),
        ("Globals: {Function: {Timeout: [3]}}\n", "Timeout must be"),
        (
            "Globals: {Function: !If [On, {Timeout: 3}, {}]}\n",
            "SAM evaluates no Fn::If here",
        ),
    ] {
        let text = function("") + section;
        let found = complaints(&text, "");
        assert!(
            matches!(&found[..], [(9, message)] if message.contains(words)),
            "{section}: {found:?}"
        );
    }
}

/// SAM leaves these out: observed with aws-sam-translator 1.115.
#[test]
fn what_sam_leaves_out_is_warned_of() {
    for (properties, words) in [
        ("Events:", "function Worker: Events has no value"),
        (
            "Events: {E: {Type: HttpApi, Propertes: {Path: /, Method: get}}}",
            "Did you mean Properties?",
        ),
        ("Timeout: null", "function Worker: Timeout has no value"),
        (
            "Events: {E: {Type: HttpApi, Properties: {Path: /, Method: get, TimeoutInMillis: null}}}",
            "TimeoutInMillis has no value",
        ),
    ] {
        let application = good(&function(properties), "");
        let found: Vec<&Diagnostic> = application
            .warnings
            .iter()
            .filter(|warning| warning.message.contains(words))
            .collect();
        assert!(
            matches!(&found[..], [one] if one.line == 9),
            "{properties}: {:?}",
            application.warnings
        );
    }
    let globals = good(
        &(function("") + "Globals: {Function: {Timeout: null}}\n"),
        "",
    );
    assert!(
        globals.warnings.iter().any(|warning| warning.line == 9),
        "{:?}",
        globals.warnings
    );
}

/// The files beside the template.
#[test]
fn settings_of_wrong_kinds_are_refused_with_lines() {
    for (text, line, words) in [
        ("stack = ['a']\n", 1, "stack must be text, not a list"),
        (
            "\nparameters = ['a']\n",
            2,
            "parameters must be a mapping, not a list",
        ),
        (
            "[kafka]\n'A.B' = { servers = { a = 1 } }\n",
            2,
            "servers must be a list",
        ),
        (
            "[resolve]\nk = { file = ['a'] }\n",
            2,
            "file must be text, not a list",
        ),
        ("[resolve]\nk = { fil = 'a' }\n", 2, "Did you mean file?"),
        (
            "allow_remote = { host = 'a' }\n",
            1,
            "allow_remote must be a list",
        ),
        (
            "endpoints = 'http://127.0.0.1:1'\n",
            1,
            "endpoints must be a mapping",
        ),
        ("settings = 'x'\n", 1, "settings must be a mapping"),
    ] {
        let found = complaints(&function(""), text);
        assert!(
            found
                .iter()
                .any(|(at, message)| *at == line && message.contains(words)),
            "{text}: {found:?}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), function("")).unwrap();
    let arguments = Arguments {
        config_env: "default".into(),
        ..Arguments::default()
    };
    for (text, line, words) in [
        ("default = 'x'\n", 1, "default must be a mapping"),
        ("[default]\nup = ['x']\n", 2, "up must be a mapping"),
        (
            "[default.up]\nparameters = 'A=1'\n",
            2,
            "parameters must be a mapping",
        ),
        (
            "[default.up.parameters]\nparameter_overrides = { A = 1 }\n",
            2,
            "must be text or a list of texts, ",
        ),
    ] {
        std::fs::write(folder.path().join("samconfig.toml"), text).unwrap();
        let found = Project::load(&folder.path().join("template.yaml"), &arguments).unwrap_err();
        assert!(
            matches!(&found[..], [one] if one.line == line && one.message.contains(words)),
            "{text}: {found:?}"
        );
    }
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
        "tolerated, and not in docs/reference/conformance/kinds.md:\n{missing}\nthere, and not tolerated:\n{wrong}"
    );
}

/// A mapping in long hand is left out: which of its properties mean something depends on the source.
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

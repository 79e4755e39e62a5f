//! Reads `usher.toml`.

use std::path::Path;

use super::{Project, SETTINGS, SourcedValue, clusters, setting_changes};
use crate::document::{Kind, Node, Problems, Reader, parse_toml};
use crate::model::KeySource;

const KNOWN: [&str; 16] = [
    "control",
    "settings",
    "stack",
    "region",
    "account",
    "profile",
    "concurrency",
    "http",
    "jwks",
    "parameters",
    "kafka",
    "endpoints",
    "resolve",
    "secrets",
    "schedules",
    "allow_remote",
];

/// Reads the file if it exists.
pub(super) fn read(file: &Path, project: &mut Project) -> Problems {
    let mut problems = Problems::new(file.display().to_string());
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return problems,
        Err(error) => {
            problems.unreadable(0, format!("cannot be read: {error}."));
            return problems;
        }
    };
    let root = parse_toml(&text, &mut problems);
    take(
        &root,
        file.parent().unwrap_or(Path::new("")),
        project,
        &mut problems,
    );
    problems
}

fn take(root: &Node, folder: &Path, project: &mut Project, problems: &mut Problems) {
    let reader = Reader::new(root, SETTINGS);
    reader.only(&KNOWN, problems);
    project.stack = reader.text("stack", problems).map(str::to_owned);
    if let Some(stack) = project.stack.as_deref().filter(|name| !is_stack_name(name)) {
        problems.error(
            reader.line("stack"),
            format!(
                "stack '{stack}' is not a stack name. Use letters, digits and -, beginning with a \
                 letter, at most 128."
            ),
        );
    }
    let given = |key: &str, problems: &mut Problems| {
        let source = format!("{SETTINGS} line {}", reader.line(key));
        reader.text(key, problems).map(|value| SourcedValue {
            value: value.to_owned(),
            source,
        })
    };
    project.region = given("region", problems);
    project.account = given("account", problems);
    project.profile = reader.text("profile", problems).map(str::to_owned);
    project.concurrency = reader
        .number("concurrency", 1..=1000, problems)
        .map(|n| n as u32);
    control(&reader, project, problems);
    project.setting_changes = setting_changes::read(&reader, problems);
    project.jwks = reader
        .text("jwks", problems)
        .map(|written| KeySource::parse(written, folder));
    project.allow_remote = reader
        .texts_or_one("allow_remote", problems)
        .into_iter()
        .map(str::to_owned)
        .collect();
    http(&reader, project, problems);
    for (name, value, line) in pairs(&reader, "parameters", problems) {
        let source = format!("{SETTINGS} line {line}");
        project
            .parameters
            .insert(name, SourcedValue { value, source });
    }
    clusters::read(&reader, folder, project, problems);
    if let Some(endpoints) = reader.child("endpoints", problems) {
        endpoints.only(&["sqs", "redis"], problems);
        let mut endpoint = |name: &str| {
            let source = format!("{SETTINGS} line {}", endpoints.line(name));
            endpoints.text(name, problems).map(|url| SourcedValue {
                value: url.to_owned(),
                source,
            })
        };
        project.sqs = endpoint("sqs");
        project.redis = endpoint("redis");
    }
    project.schedules = nested(&reader, "schedules", problems);
    resolve(&reader, folder, project, problems);
}

/// `control = "address"`.
fn control(reader: &Reader<'_>, project: &mut Project, problems: &mut Problems) {
    let Some(text) = reader.text("control", problems) else {
        return;
    };
    match text.parse() {
        Ok(address) => project.control = Some(address),
        Err(_) => {
            problems.error(
                reader.line("control"),
                format!("control: '{text}' is not an address. Write \"127.0.0.1:18090\"."),
            );
        }
    }
}

/// `http = "address"`, or a table of addresses by API.
fn http(reader: &Reader<'_>, project: &mut Project, problems: &mut Problems) {
    let Some(node) = reader.get("http") else {
        return;
    };
    let one = |id: &str, node: &Node, problems: &mut Problems| {
        if let Ok(address) = node.text().unwrap_or("").parse() {
            Some((id.to_owned(), address))
        } else {
            problems.error(
                node.line,
                format!(
                    "http: {} is not an address. Write \"127.0.0.1:18080\".",
                    node.describe()
                ),
            );
            None
        }
    };
    match &node.kind {
        Kind::Map(entries) => project.http.extend(
            entries
                .iter()
                .filter_map(|e| one(&e.key, &e.value, problems)),
        ),
        _ => project.http.extend(one("", node, problems)),
    }
}

/// Values as text, or from a file: `{ file = "path" }`, relative to usher.toml, without the final
/// line break.
fn resolve(reader: &Reader<'_>, folder: &Path, project: &mut Project, problems: &mut Problems) {
    let Some(section) = reader.child("resolve", problems) else {
        return;
    };
    for entry in section.node.entries() {
        let name = entry
            .key
            .trim_start_matches("{{")
            .trim_end_matches("}}")
            .trim_start_matches("resolve:");
        let table = Reader::new(&entry.value, format!("[resolve] {name}"));
        table.only(&["file"], problems);
        let value = match (entry.value.text(), table.text("file", problems)) {
            (Some(text), _) => text.to_owned(),
            (None, None) if table.has("file") => continue,
            (None, Some(path)) => match std::fs::read_to_string(folder.join(path)) {
                Ok(text) => text.strip_suffix('\n').unwrap_or(&text).to_owned(),
                Err(error) => {
                    problems.error(
                        entry.line,
                        format!("[resolve] {name}: cannot read {path}: {error}."),
                    );
                    continue;
                }
            },
            (None, None) => {
                problems.error(
                    entry.line,
                    format!("[resolve] {name} must be text or {{ file = \"path\" }}."),
                );
                continue;
            }
        };
        project.resolve.insert(name.to_owned(), value);
    }
}

/// A table of scalars, with the line of each.
fn pairs(reader: &Reader<'_>, key: &str, problems: &mut Problems) -> Vec<(String, String, usize)> {
    let Some(section) = reader.child(key, problems) else {
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for entry in section.node.entries() {
        match &entry.value.kind {
            Kind::Scalar(text) => pairs.push((entry.key.clone(), text.clone(), entry.line)),
            Kind::List(items) if items.iter().all(|item| item.text().is_some()) => {
                let texts: Vec<&str> = items.iter().filter_map(Node::text).collect();
                pairs.push((entry.key.clone(), texts.join(","), entry.line));
            }
            _ => problems.error(
                entry.line,
                format!(
                    "[{key}] {} must be text, not {}. Quote keys that hold a dot: \"A.B\".",
                    entry.key,
                    entry.value.describe()
                ),
            ),
        }
    }
    pairs
}

/// As [`pairs`]; an unquoted dotted key (`A.B = ...`) is the same as a quoted one.
fn nested(
    reader: &Reader<'_>,
    key: &str,
    problems: &mut Problems,
) -> std::collections::BTreeMap<String, String> {
    let mut found = std::collections::BTreeMap::new();
    let Some(section) = reader.child(key, problems) else {
        return found;
    };
    for entry in section.node.entries() {
        match &entry.value.kind {
            Kind::Scalar(text) => {
                found.insert(entry.key.clone(), text.clone());
            }
            Kind::Map(inner) if inner.iter().all(|e| e.value.text().is_some()) => {
                let dotted = inner.iter().map(|e| {
                    (
                        format!("{}.{}", entry.key, e.key),
                        e.value.text().unwrap_or("").to_owned(),
                    )
                });
                found.extend(dotted);
            }
            _ => problems.error(
                entry.line,
                format!(
                    "[{key}] {} must be an expression such as \"rate(1 second)\".",
                    entry.key
                ),
            ),
        }
    }
    found
}

fn is_stack_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_text(text: &str) -> Result<Project, Vec<(usize, String)>> {
        let mut problems = Problems::new(SETTINGS);
        let mut project = Project::default();
        let root = parse_toml(text, &mut problems);
        take(&root, Path::new("."), &mut project, &mut problems);
        match problems.finish() {
            Ok(_) => Ok(project),
            Err(found) => Err(found.into_iter().map(|d| (d.line, d.message)).collect()),
        }
    }

    #[test]
    fn every_setting_is_read() {
        let project = take_text(
            "stack = 'shop'\nprofile = 'release'\nconcurrency = 4\nhttp = '127.0.0.1:9000'\n\
             allow_remote = ['db.example.test']\n\
             [parameters]\nSize = 3\nZones = ['a', 'b']\n[kafka]\n\
             'Worker.Orders' = '127.0.0.1:9092'\n\
             [resolve]\n'{{resolve:ssm:/x}}' = 'y'\n[schedules]\nSweeper.Tick = 'rate(1 second)'\n\
             [endpoints]\nsqs = 'http://127.0.0.1:9324'\nredis = 'redis://127.0.0.1:6379'\n",
        )
        .unwrap();
        assert_eq!(project.stack.as_deref(), Some("shop"));
        assert_eq!(project.http[""].port(), 9000);
        assert_eq!(project.parameters["Zones"].value, "a,b");
        assert_eq!(project.parameters["Size"].source, "usher.toml line 7");
        assert_eq!(project.kafka["Worker.Orders"].servers, "127.0.0.1:9092");
        assert_eq!(project.resolve["ssm:/x"], "y");
        let sqs = project.sqs.unwrap();
        assert_eq!(
            (sqs.value.as_str(), sqs.source.as_str()),
            ("http://127.0.0.1:9324", "usher.toml line 16")
        );
        assert_eq!(project.redis.unwrap().source, "usher.toml line 17");
        assert_eq!(project.schedules["Sweeper.Tick"], "rate(1 second)");
    }

    #[test]
    fn every_mistake_is_reported_with_its_line() {
        let found = take_text(
            "stak = 'x'\nconcurrency = 0\nhttp = 'here'\n[resolve]\n\
             k = { file = '/nowhere/at/all' }\n",
        )
        .unwrap_err();
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 5], "{found:?}");
        assert!(found[0].1.contains("Did you mean stack?"), "{}", found[0].1);
    }
}

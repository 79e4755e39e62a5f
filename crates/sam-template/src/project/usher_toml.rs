//! Reads `usher.toml`.

use std::net::SocketAddr;
use std::path::Path;

use super::{
    Project, SETTINGS, SourcedValue, clusters, declared_sources, functions, read_toml,
    setting_changes,
};
use crate::document::{Kind, Node, Problems, Reader};
use crate::model::KeySource;

const KNOWN: &str = "control settings stack region account profile concurrency http jwks \
    parameters kafka endpoints embedded-queues resolve secrets schedules functions sources \
    allow_remote";

/// Reads the file if it exists.
pub(super) fn read(file: &Path, project: &mut Project) -> Problems {
    let problems = Problems::new(file.display().to_string());
    if let Some(root) = read_toml(file, &problems) {
        let folder = file.parent().unwrap_or(Path::new(""));
        take(&root, folder, project, &problems);
    }
    problems
}

fn take(root: &Node, folder: &Path, project: &mut Project, problems: &Problems) {
    let reader = Reader::new(root, SETTINGS, problems);
    reader.only(KNOWN);
    project.stack = reader.string("stack");
    if let Some(stack) = project.stack.as_deref().filter(|name| !is_stack_name(name)) {
        let message = format!(
            "stack '{stack}' is not a stack name. Use letters, digits and -, beginning with a \
             letter, at most 128."
        );
        problems.error(reader.line("stack"), message);
    }
    let source = |line: usize| format!("{SETTINGS} line {line}");
    let given = |reader: &Reader<'_>, key: &str| {
        let value = reader.string(key)?;
        let source = source(reader.line(key));
        Some(SourcedValue { value, source })
    };
    project.region = given(&reader, "region");
    project.account = given(&reader, "account");
    project.profile = reader.string("profile");
    project.concurrency = reader.number("concurrency", 1..=1000).map(|n| n as u32);
    control(&reader, project);
    project.setting_changes = setting_changes::read(&reader);
    let jwks = reader.text("jwks");
    project.jwks = jwks.map(|written| KeySource::parse(written, folder));
    let allowed = reader.texts_or_one("allow_remote").into_iter();
    project.allow_remote = allowed.map(str::to_owned).collect();
    http(&reader, project);
    for entry in reader.entries("parameters") {
        if let Some(value) = parameter(&entry.value, folder) {
            let source = source(entry.line);
            let given = SourcedValue { value, source };
            project.parameters.insert(entry.key.clone(), given);
        } else {
            let message = format!(
                "[parameters] {} must be text or {{ path = \"file or folder\" }}, not {}. Quote keys \
                 that hold a dot: \"A.B\".",
                entry.key,
                entry.value.describe()
            );
            problems.error(entry.line, message);
        }
    }
    clusters::read(&reader, folder, project);
    if let Some(endpoints) = reader.child("endpoints") {
        endpoints.only("sqs redis redis-ca");
        project.sqs = given(&endpoints, "sqs");
        project.redis = given(&endpoints, "redis");
        project.redis_ca = endpoints.text("redis-ca").and_then(|file| {
            let wrong = |error| {
                let message = format!("[endpoints] redis-ca: {file} cannot be read: {error}.");
                problems.error(endpoints.line("redis-ca"), message);
            };
            std::fs::read_to_string(folder.join(file))
                .map_err(wrong)
                .ok()
        });
    }
    embedded_queues(&reader, project);
    schedules(&reader, project);
    project.sources = declared_sources::read(&reader);
    project.functions = functions::read(&reader);
    resolve(&reader, folder, project);
}

/// A text, a list of texts, or `{ path = "..." }`: a path relative to the file, as an absolute one,
/// since functions run in folders of their own.
fn parameter(value: &Node, folder: &Path) -> Option<String> {
    if let Some(texts) = value.texts() {
        return Some(texts.join(","));
    }
    let path = value.single().filter(|only| only.key == "path")?;
    let path = std::path::absolute(folder.join(path.value.text()?)).ok()?;
    path.to_str().map(str::to_owned)
}

/// `[embedded-queues]`.
fn embedded_queues(reader: &Reader<'_>, project: &mut Project) {
    let Some(queues) = reader.child("embedded-queues") else {
        return;
    };
    queues.only("address storage");
    if let Some(text) = queues.text("address") {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() && address.port() != 0 => {
                project.embedded_queues.address = address;
            }
            _ => {
                let message = format!(
                    "[embedded-queues] address: '{text}' is not a port of this machine's loopback \
                     address. Write \"127.0.0.1:18324\"."
                );
                reader.problems.error(queues.line("address"), message);
            }
        }
    }
    let storage = queues.choice("storage", &["memory", "disk"]);
    project.embedded_queues.on_disk = storage == Some("disk");
}

/// `control = "address"`.
fn control(reader: &Reader<'_>, project: &mut Project) {
    let Some(text) = reader.text("control") else {
        return;
    };
    project.control = text.parse().ok();
    if project.control.is_none() {
        let message = format!("control: '{text}' is not an address. Write \"127.0.0.1:18090\".");
        reader.problems.error(reader.line("control"), message);
    }
}

/// `http = "address"`, or a table of addresses by API.
fn http(reader: &Reader<'_>, project: &mut Project) {
    let Some(node) = reader.get("http") else {
        return;
    };
    let address = |node: &Node| {
        let address = node.text().unwrap_or("").parse().ok();
        if address.is_none() {
            let found = node.describe();
            let message = format!("http: {found} is not an address. Write \"127.0.0.1:18080\".");
            reader.problems.error(node.line, message);
        }
        address
    };
    if let Kind::Map(entries) = &node.kind {
        let each = entries.iter();
        let each = each.filter_map(|e| Some((e.key.clone(), address(&e.value)?)));
        project.http.extend(each);
    } else {
        let common = address(node).map(|address| (String::new(), address));
        project.http.extend(common);
    }
}

/// Values as text, or from a file: `{ file = "path" }`, relative to usher.toml, without the final
/// line break.
fn resolve(reader: &Reader<'_>, folder: &Path, project: &mut Project) {
    for entry in reader.entries("resolve") {
        let name = entry
            .key
            .trim_start_matches("{{")
            .trim_end_matches("}}")
            .trim_start_matches("resolve:");
        let table = Reader::new(&entry.value, format!("[resolve] {name}"), reader.problems);
        table.only("file");
        let value = match (entry.value.text(), table.text("file")) {
            (Some(text), _) => text.to_owned(),
            (None, None) if table.has("file") => continue,
            (None, Some(path)) => match std::fs::read_to_string(folder.join(path)) {
                Ok(text) => text.strip_suffix('\n').unwrap_or(&text).to_owned(),
                Err(error) => {
                    let message = format!("cannot read {path}: {error}.");
                    table.error_on(entry.line, &message);
                    continue;
                }
            },
            (None, None) => {
                let message = format!("{} must be text or {{ file = \"path\" }}.", table.what);
                reader.problems.error(entry.line, message);
                continue;
            }
        };
        project.resolve.insert(name.to_owned(), value);
    }
}

/// Expressions by schedule; an unquoted dotted key (`A.B = ...`) is the same as a quoted one.
fn schedules(reader: &Reader<'_>, project: &mut Project) {
    for entry in reader.entries("schedules") {
        match &entry.value.kind {
            Kind::Scalar(text) => {
                project.schedules.insert(entry.key.clone(), text.clone());
            }
            Kind::Map(inner) if inner.iter().all(|e| e.value.text().is_some()) => {
                let dotted = inner.iter().filter_map(|e| {
                    let name = format!("{}.{}", entry.key, e.key);
                    Some((name, e.value.text()?.to_owned()))
                });
                project.schedules.extend(dotted);
            }
            _ => {
                let message = format!(
                    "[schedules] {} must be an expression such as \"rate(1 second)\".",
                    entry.key
                );
                reader.problems.error(entry.line, message);
            }
        }
    }
}

fn is_stack_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse_toml;

    fn take_text(text: &str) -> Result<Project, Vec<(usize, String)>> {
        let problems = Problems::new(SETTINGS);
        let mut project = Project::default();
        let root = parse_toml(text, &problems);
        take(&root, Path::new("."), &mut project, &problems);
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
             [parameters]\nSize = 3\nZones = ['a', 'b']\nFolder = { path = 'a/b' }\n[kafka]\n\
             'Worker.Orders' = '127.0.0.1:9092'\n\
             [resolve]\n'{{resolve:ssm:/x}}' = 'y'\n[schedules]\nSweeper.Tick = 'rate(1 second)'\n\
             [endpoints]\nsqs = 'http://127.0.0.1:9324'\nredis = 'redis://127.0.0.1:6379'\n\
             redis-ca = 'Cargo.toml'\n",
        )
        .unwrap();
        assert_eq!(project.stack.as_deref(), Some("shop"));
        assert_eq!(project.http[""].port(), 9000);
        assert_eq!(project.parameters["Zones"].value, "a,b");
        assert_eq!(project.parameters["Size"].source, "usher.toml line 7");
        let folder = Path::new(&project.parameters["Folder"].value);
        assert!(
            folder.is_absolute() && folder.ends_with("a/b"),
            "{folder:?}"
        );
        assert_eq!(project.kafka["Worker.Orders"].servers, "127.0.0.1:9092");
        assert_eq!(project.resolve["ssm:/x"], "y");
        // The file is not parsed here, so any will do.
        assert!(project.redis_ca.unwrap().contains("[package]"));
        let sqs = project.sqs.unwrap();
        assert_eq!(
            (sqs.value.as_str(), sqs.source.as_str()),
            ("http://127.0.0.1:9324", "usher.toml line 17")
        );
        assert_eq!(project.redis.unwrap().source, "usher.toml line 18");
        assert_eq!(project.schedules["Sweeper.Tick"], "rate(1 second)");
    }

    #[test]
    fn the_reference_lists_every_key() {
        let page = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/reference/usher-toml.md"
        );
        let page = std::fs::read_to_string(page).unwrap();
        let rows = page.lines().take_while(|line| !line.starts_with("## "));
        let keys: Vec<&str> = rows
            .filter_map(|row| row.strip_prefix("| ")?.split(" | ").next())
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .map(|key| key.trim_matches(['[', ']']).trim_end_matches(".NAME"))
            .collect();
        let mut known: Vec<&str> = KNOWN.split_whitespace().collect();
        let mut listed = keys.clone();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn every_mistake_is_reported_with_its_line() {
        let found = take_text(
            "stak = 'x'\nconcurrency = 0\nhttp = 'here'\n[resolve]\n\
             k = { file = '/nowhere/at/all' }\n[parameters]\nFolder = { file = 'a' }\n",
        )
        .unwrap_err();
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 5, 7], "{found:?}");
        assert!(found[0].1.contains("Did you mean stack?"), "{}", found[0].1);
    }
}

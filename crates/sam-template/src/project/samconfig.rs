//! This host's sections of `samconfig.toml`: `[ENV.global.parameters]` and `[ENV.up.parameters]`.
//!
//! The deploy section has the values of production; it is read only with `--params-from deploy`.

use std::path::Path;

use super::{Arguments, Project, SourcedValue, overrides};
use crate::document::{Kind, Node, Problems, Reader, parse_toml};

/// Reads parameter overrides and region, if the file exists; its other settings are SAM's.
pub(super) fn read(file: &Path, arguments: &Arguments, project: &mut Project) -> Problems {
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
    let deploy = arguments.params_from_deploy.then_some("deploy");
    for command in [Some("global"), deploy, Some("up")].into_iter().flatten() {
        let env = Reader::new(&root, "samconfig.toml").child(&arguments.config_env, &mut problems);
        let section = env.and_then(|env| {
            env.child(command, &mut problems)?
                .child("parameters", &mut problems)
        });
        let source = format!(
            "samconfig.toml [{}.{command}.parameters]",
            arguments.config_env
        );
        if let Some(section) = &section {
            let region = section.text("region", &mut problems);
            project.region = region
                .map(|value| SourcedValue {
                    value: value.to_owned(),
                    source: source.clone(),
                })
                .or(project.region.take());
        }
        let Some(node) = section
            .as_ref()
            .and_then(|section| section.get("parameter_overrides"))
        else {
            continue;
        };
        match texts(node) {
            Some(texts) => {
                let wrong = overrides::read(&texts, &source, &mut project.parameters)
                    .finish()
                    .err()
                    .unwrap_or_default();
                for diagnostic in wrong {
                    problems.error(node.line, diagnostic.message);
                }
            }
            None => problems.error(
                node.line,
                format!(
                    "parameter_overrides must be text or a list of texts, \"Name=value\", not {}.",
                    node.describe()
                ),
            ),
        }
    }
    problems
}

fn texts(node: &Node) -> Option<Vec<String>> {
    match &node.kind {
        Kind::Scalar(text) => Some(vec![text.clone()]),
        Kind::List(items) => items
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

//! This host's sections of `samconfig.toml`: `[ENV.global.parameters]` and `[ENV.up.parameters]`.
//!
//! The deploy section has the values of production; it is read only with `--params-from deploy`.

use std::path::Path;

use super::{Arguments, Project, SourcedValue, overrides, read_toml};
use crate::document::{Problems, Reader};

/// Reads parameter overrides and region, if the file exists; its other settings are SAM's.
pub(super) fn read(file: &Path, arguments: &Arguments, project: &mut Project) -> Problems {
    let problems = Problems::new(file.display().to_string());
    let Some(root) = read_toml(file, &problems) else {
        return problems;
    };
    let deploy = arguments.params_from_deploy.then_some("deploy");
    for command in [Some("global"), deploy, Some("up")].into_iter().flatten() {
        let env = Reader::new(&root, "samconfig.toml", &problems).child(&arguments.config_env);
        let section = env.and_then(|env| env.child(command)?.child("parameters"));
        let source = format!(
            "samconfig.toml [{}.{command}.parameters]",
            arguments.config_env
        );
        let Some(section) = section else {
            continue;
        };
        if let Some(value) = section.string("region") {
            let source = source.clone();
            project.region = Some(SourcedValue { value, source });
        }
        let Some(node) = section.get("parameter_overrides") else {
            continue;
        };
        if let Some(texts) = node.texts() {
            let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
            let read = overrides::read(&texts, &source, &mut project.parameters);
            for diagnostic in read.finish().err().unwrap_or_default() {
                problems.error(node.line, diagnostic.message);
            }
        } else {
            let message = format!(
                "parameter_overrides must be text or a list of texts, \"Name=value\", not {}.",
                node.describe()
            );
            problems.error(node.line, message);
        }
    }
    problems
}

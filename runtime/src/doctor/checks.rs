//! The checks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::{Finding, Severity, redis};
use crate::descriptors::{Needs, allowed_at_most};
use crate::instances::DEFAULT_CONCURRENCY;
use crate::sources::{self, SourceSubject};
use crate::{build, up};
use sam_template::model::{Application, Code};
use sam_template::project::Project;

/// The application to check, as far as it is valid.
#[derive(Debug)]
pub struct DoctorInput<'a> {
    /// The settings outside the template.
    pub project: &'a Project,
    /// The resolved template.
    pub app: &'a Application,
    /// Problems of both.
    pub problems: Vec<String>,
    /// How to build it; with `no_build` its executables must exist.
    pub build: build::BuildOptions,
}

/// Runs all checks. The findings are in the order in which to resolve them.
pub async fn run_checks(subject: &DoctorInput<'_>) -> Vec<Finding> {
    let DoctorInput { project, app, .. } = subject;
    let sources = sources::planned(app)
        .iter()
        .filter(|source| source.subject == SourceSubject::Mapping)
        .count();
    let read = format!(
        "template and usher.toml: {} functions, {sources} sources, {} queues",
        app.functions.len(),
        app.queues.len()
    );
    let usual = project
        .concurrency
        .map_or(DEFAULT_CONCURRENCY, |most| most as usize);
    let mut problems = subject.problems.clone();
    problems.extend(up::contradictions(app, &project.setting_changes, usual));
    let mut found = Finding::each(&read, Severity::Fail, problems);
    let warnings = app.warnings.iter().map(ToString::to_string);
    found.extend(warnings.map(Finding::warn));
    found.extend(executables(subject));
    let http = project.http_addresses(app).unwrap_or_else(|wrong| {
        found.push(Finding::fail(wrong));
        BTreeMap::new()
    });
    let endpoints = up::endpoints(app, &http, project.control);
    let (missing, others): (Vec<_>, Vec<_>) = up::probe(app, &endpoints)
        .await
        .into_iter()
        .partition(|finding| finding.severity == Severity::Fail);
    let missing = missing.into_iter().map(|finding| finding.text).collect();
    let passed = "servers respond and ports are free";
    found.extend(Finding::each(passed, Severity::Fail, missing));
    found.extend(others);
    found.extend(redis::servers(app).await);
    found.extend(match up::keys(project, app).await {
        Ok(None) => Vec::new(),
        keys => {
            let problems = keys.err().unwrap_or_default();
            Finding::each("keys for the JWT authorizers", Severity::Fail, problems)
        }
    });
    if project.control.is_none() {
        found.push(Finding::warn(
            "no control address: no live page, no /metrics, no usher set. Write control = \
             \"127.0.0.1:18090\" into usher.toml",
        ));
    }
    found.push(descriptors(&Needs::of(app, usual)));
    found
}

/// Checks the tools that building needs, then the executables, which a build may still create.
fn executables(subject: &DoctorInput<'_>) -> Vec<Finding> {
    let app = subject.app;
    let options = &subject.build;
    let mut found = if options.no_build {
        Vec::new()
    } else {
        cargo(app)
    };
    let no_cargo = found.iter().any(|tool| tool.severity == Severity::Fail);
    let mut ready = true;
    for (id, function) in &app.functions {
        let mut only = build::BuildOptions {
            only: vec![id.clone()],
            ..options.clone()
        };
        let without_cargo = no_cargo && matches!(function.code, Code::Cargo { .. });
        let refused = if options.no_build || without_cargo {
            Vec::new()
        } else {
            build::check(app, &only)
        };
        only.no_build = true;
        let earlier = build::build(app, &only);
        ready &= earlier.is_ok() && refused.is_empty();
        let built_later = !options.no_build && !matches!(function.code, Code::Prebuilt(_));
        match earlier {
            Err(why) if refused.is_empty() && built_later => {
                found.push(Finding::warn(format!("{why}\n(usher up builds it)")));
            }
            Err(why) if refused.is_empty() => found.push(Finding::fail(why.0)),
            _ => {}
        }
        found.extend(refused.into_iter().map(Finding::fail));
    }
    if ready && !app.functions.is_empty() {
        let arch = std::env::consts::ARCH;
        found.push(Finding::ok(format!("executables are there, for {arch}")));
    }
    found
}

/// Checks cargo and the linker, if a function is built with them.
fn cargo(app: &Application) -> Vec<Finding> {
    let folders = app.functions.values().filter_map(|function| {
        let Code::Cargo { dir, .. } = &function.code else {
            return None;
        };
        Some(dir)
    });
    let Some(folder) = folders.min() else {
        return Vec::new();
    };
    let tools = [
        (
            "cargo",
            "cargo does not run, and functions have to be built. Install Rust: https://rustup.rs",
        ),
        (
            "cc",
            "there is no C compiler (cc), which links Rust programs. Install one: apt-get install \
             build-essential",
        ),
    ];
    // In the function's folder, where a rust-toolchain.toml may choose the version.
    tools
        .map(|(program, remedy)| {
            version(program, folder).map_or_else(|| Finding::fail(remedy), Finding::ok)
        })
        .into()
}

/// The first line of a program's `--version`.
fn version(program: &str, folder: &Path) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.arg("--version").current_dir(folder).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or(program);
    output.status.success().then(|| first.to_owned())
}

/// Checks the hard limit of open files, to which `usher up` raises its own limit.
fn descriptors(needs: &Needs) -> Finding {
    let wanted = needs.sufficient_limit();
    let processes = needs.processes;
    match allowed_at_most() {
        Ok(hard) if hard >= wanted => Finding::ok(format!(
            "{hard} open files allowed, about {wanted} may be needed"
        )),
        Ok(hard) => Finding::warn(format!(
            "{hard} open files allowed, and {processes} processes may need about {wanted}; what \
             is beyond is throttled. Raise the hard limit (ulimit -Hn {wanted}), or lower \
             concurrency"
        )),
        Err(error) => Finding::warn(format!("the limit of open files cannot be read: {error}")),
    }
}

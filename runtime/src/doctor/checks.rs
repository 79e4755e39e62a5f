//! The checks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Finding, Severity, redis};
use crate::descriptors::{Needs, allowed_at_most};
use crate::http::{KeyStore, RefreshIntervals};
use crate::instances::DEFAULT_CONCURRENCY;
use crate::{build, kafka, up};
use sam_template::model::{Application, Code, Destination};
use sam_template::project::Project;

/// Longest wait for a broker's list of topics.
const BROKER_TIMEOUT: Duration = Duration::from_secs(8);

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
    let sources = app.kafka.len() + app.sqs.len();
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
    found.extend(
        app.warnings
            .iter()
            .map(|warning| Finding::new(Severity::Warn, warning.to_string())),
    );
    found.extend(executables(subject));
    let addresses = project.http_addresses(app);
    let http: BTreeMap<String, SocketAddr> = match addresses {
        Ok(addresses) => addresses,
        Err(wrong) => {
            found.push(Finding::new(Severity::Fail, wrong));
            BTreeMap::new()
        }
    };
    let endpoints = up::endpoints(app, &http, project.control);
    let passed = "servers respond and ports are free";
    found.extend(Finding::each(
        passed,
        Severity::Fail,
        up::missing(app, &endpoints).await,
    ));
    found.extend(topics(app).await);
    found.extend(redis::servers(app).await);
    found.extend(keys(project, app).await);
    if project.control.is_none() {
        let text = "no control address: no live page, no /metrics, no usher set. Write control = \
            \"127.0.0.1:18090\" into usher.toml";
        found.push(Finding::new(Severity::Warn, text));
    }
    found.push(descriptors(project, app));
    found
}

/// Checks the tools that building needs, then the executables, which a build may still create.
fn executables(subject: &DoctorInput<'_>) -> Vec<Finding> {
    let DoctorInput {
        app,
        build: options,
        ..
    } = subject;
    let tools = if options.no_build {
        Vec::new()
    } else {
        cargo(app)
    };
    let no_cargo = tools
        .iter()
        .any(|finding| finding.severity == Severity::Fail);
    let mut found = tools;
    let mut ready = true;
    for (id, function) in &app.functions {
        let only = build::BuildOptions {
            only: vec![id.clone()],
            ..options.clone()
        };
        let earlier = build::build(
            app,
            &build::BuildOptions {
                no_build: true,
                ..only.clone()
            },
        );
        let refused = match function.code {
            Code::Prebuilt(_) => Vec::new(),
            _ if options.no_build => Vec::new(),
            Code::Cargo { .. } if no_cargo => Vec::new(),
            Code::Cargo { .. } | Code::Tool(_) => build::check(app, &only),
        };
        ready &= earlier.is_ok() && refused.is_empty();
        let (severity, hint) = match function.code {
            Code::Prebuilt(_) => (Severity::Fail, ""),
            _ if options.no_build => (Severity::Fail, ""),
            Code::Cargo { .. } | Code::Tool(_) => (Severity::Warn, "\n(usher up builds it)"),
        };
        found.extend(
            earlier
                .err()
                .filter(|_| refused.is_empty())
                .map(|why| Finding::new(severity, format!("{why}{hint}"))),
        );
        found.extend(
            refused
                .into_iter()
                .map(|why| Finding::new(Severity::Fail, why)),
        );
    }
    if ready && !app.functions.is_empty() {
        found.push(Finding::new(
            Severity::Ok,
            format!("executables are there, for {}", std::env::consts::ARCH),
        ));
    }
    found
}

/// Checks cargo and the linker, if a function is built with them.
fn cargo(app: &Application) -> Vec<Finding> {
    let folders: BTreeSet<&Path> = app
        .functions
        .values()
        .filter_map(|function| {
            if let Code::Cargo { dir, .. } = &function.code {
                Some(dir.as_path())
            } else {
                None
            }
        })
        .collect();
    let Some(folder) = folders.first() else {
        return Vec::new();
    };
    // In the function's folder, where a rust-toolchain.toml may choose the version.
    let cargo = version("cargo", folder).map_or_else(
        || {
            Finding::new(
                Severity::Fail,
                "cargo does not run, and functions have to be built. Install Rust: \
                 https://rustup.rs",
            )
        },
        |version| Finding::new(Severity::Ok, version),
    );
    let linker = version("cc", folder).map_or_else(
        || {
            Finding::new(
                Severity::Fail,
                "there is no C compiler (cc), which links Rust programs. Install one: apt-get \
                 install build-essential",
            )
        },
        |version| Finding::new(Severity::Ok, version),
    );
    vec![cargo, linker]
}

/// The first line of a program's `--version`.
fn version(program: &str, folder: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .current_dir(folder)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or(program).to_owned())
}

/// Topics that do not exist. Clusters that do not respond are found by the preflight checks.
async fn topics(app: &Application) -> Vec<Finding> {
    let mut found = Vec::new();
    for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
        let mut topics = mapping.topics.clone();
        if let Some(Destination::KafkaTopic(topic)) = &mapping.on_failure {
            topics.push(topic.clone());
        }
        let names = topics.join(", ");
        let place = mapping.bootstrap_servers.clone();
        let security = mapping.security.clone();
        let asked = tokio::task::spawn_blocking({
            let place = place.clone();
            move || kafka::probe(&place, &security, &topics, BROKER_TIMEOUT)
        });
        let asked = asked.await;
        let Ok(Ok(missing)) = asked else { continue };
        let passed = format!("{}: topic {names} at {place}", mapping.id);
        let problem = |topic| {
            format!(
                "there is no topic {topic} at {place}. It is read as soon as it exists; create \
                 it, or name another"
            )
        };
        found.extend(Finding::each(
            &passed,
            Severity::Warn,
            missing.into_iter().map(problem).collect(),
        ));
    }
    found
}

async fn keys(project: &Project, app: &Application) -> Vec<Finding> {
    let guarded =
        |api: &&sam_template::model::Api| api.routes.iter().any(|route| route.authorizer.is_some());
    let apis: Vec<_> = app.apis.iter().filter(guarded).collect();
    if apis.is_empty() {
        return Vec::new();
    }
    let problems = match project.jwks.clone() {
        None => apis
            .iter()
            .filter_map(|api| crate::http::check(api, false).err())
            .collect(),
        Some(source) => KeyStore::load(source, RefreshIntervals::default())
            .await
            .err()
            .into_iter()
            .collect(),
    };
    Finding::each("keys for the JWT authorizers", Severity::Fail, problems)
}

/// Checks the hard limit of open files, to which `usher up` raises its own limit.
fn descriptors(project: &Project, app: &Application) -> Finding {
    let usual = project
        .concurrency
        .map_or(DEFAULT_CONCURRENCY, |most| most as usize);
    let needs = Needs::of(app, usual);
    let wanted = needs.sufficient_limit();
    let processes = needs.processes;
    match allowed_at_most() {
        Ok(hard) if hard >= wanted => Finding::new(
            Severity::Ok,
            format!("{hard} open files allowed, about {wanted} may be needed"),
        ),
        Ok(hard) => Finding::new(
            Severity::Warn,
            format!(
                "{hard} open files allowed, and {processes} processes may need about {wanted}; \
                 what is beyond is throttled. Raise the hard limit (ulimit -Hn {wanted}), or lower \
                 concurrency"
            ),
        ),
        Err(error) => Finding::new(
            Severity::Warn,
            format!("the limit of open files cannot be read: {error}"),
        ),
    }
}

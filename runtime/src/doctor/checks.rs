//! The looks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Finding, Level, redis};
use crate::descriptors::{Needs, allowed_at_most};
use crate::http::{KeyStore, Refresh};
use crate::instances::DEFAULT_CONCURRENCY;
use crate::model::{Application, Code, Destination};
use crate::project::Project;
use crate::{build, kafka, up};

/// How long a broker may take to tell its topics.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is examined: an application as far as it could be read.
#[derive(Debug)]
pub struct Subject<'a> {
    /// What stands beside the template.
    pub project: &'a Project,
    /// What the template comes to.
    pub app: &'a Application,
    /// What is wrong with either.
    pub problems: Vec<String>,
    /// How it would be built; with `no_build` its executables have to be there.
    pub build: build::Options,
}

/// Everything looked at, in the order in which it should be mended.
pub async fn examine(subject: &Subject<'_>) -> Vec<Finding> {
    let Subject { project, app, .. } = subject;
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
    problems.extend(up::contradictions(app, &project.tuned, usual));
    let mut found = Finding::each(&read, Level::Fail, problems);
    found.extend(
        app.warnings
            .iter()
            .map(|warning| Finding::new(Level::Warn, warning.to_string())),
    );
    found.extend(executables(subject));
    let addresses = project.http_addresses(app);
    let http: BTreeMap<String, SocketAddr> = match addresses {
        Ok(addresses) => addresses,
        Err(wrong) => {
            found.push(Finding::new(Level::Fail, wrong));
            BTreeMap::new()
        }
    };
    let faces = up::faces(app, &http, project.control);
    let well = "servers answer and ports are free";
    found.extend(Finding::each(
        well,
        Level::Fail,
        up::missing(app, &faces).await,
    ));
    found.extend(topics(app).await);
    found.extend(redis::servers(app).await);
    found.extend(keys(project, app).await);
    if project.control.is_none() {
        let text = "no control address: no live page, no /metrics, no usher set. Write control = \"127.0.0.1:18090\" into usher.toml";
        found.push(Finding::new(Level::Warn, text));
    }
    found.push(descriptors(project, app));
    found
}

/// What building needs, if anything is built; then the executables themselves, which a build may still have to make.
fn executables(subject: &Subject<'_>) -> Vec<Finding> {
    let Subject {
        app,
        build: options,
        ..
    } = subject;
    let tools = if options.no_build {
        Vec::new()
    } else {
        cargo(app)
    };
    let no_cargo = tools.iter().any(|finding| finding.level == Level::Fail);
    let mut found = tools;
    let mut ready = true;
    for (id, function) in &app.functions {
        let only = build::Options {
            only: vec![id.clone()],
            ..options.clone()
        };
        let former = build::build(
            app,
            &build::Options {
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
        ready &= former.is_ok() && refused.is_empty();
        let (level, hint) = match function.code {
            Code::Prebuilt(_) => (Level::Fail, ""),
            _ if options.no_build => (Level::Fail, ""),
            Code::Cargo { .. } | Code::Tool(_) => (Level::Warn, "\n(usher up builds it)"),
        };
        found.extend(
            former
                .err()
                .filter(|_| refused.is_empty())
                .map(|why| Finding::new(level, format!("{why}{hint}"))),
        );
        found.extend(
            refused
                .into_iter()
                .map(|why| Finding::new(Level::Fail, why)),
        );
    }
    if ready && !app.functions.is_empty() {
        found.push(Finding::new(
            Level::Ok,
            format!("executables are there, for {}", std::env::consts::ARCH),
        ));
    }
    found
}

/// Cargo and the linker, if a function is built with them.
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
    // run in a function's own folder: rust-toolchain.toml decides there
    let cargo = said("cargo", folder).map_or_else(
        || Finding::new(Level::Fail, "cargo does not run, and functions have to be built. Install Rust: https://rustup.rs"),
        |version| Finding::new(Level::Ok, version),
    );
    let linker = said("cc", folder).map_or_else(
        || {
            Finding::new(
                Level::Fail,
                "there is no C compiler (cc), which links Rust programs. Install one: apt-get install build-essential",
            )
        },
        |version| Finding::new(Level::Ok, version),
    );
    vec![cargo, linker]
}

/// The first line that a program says of its version.
fn said(program: &str, folder: &Path) -> Option<String> {
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

/// Topics that do not exist yet, of clusters that answer: of others the servers' look has told.
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
            move || kafka::probe(&place, &security, &topics, PATIENCE)
        });
        let asked = asked.await;
        let Ok(Ok(missing)) = asked else { continue };
        let well = format!("{}: topic {names} at {place}", mapping.id);
        let problem = |topic| {
            format!(
                "there is no topic {topic} at {place}. It is read as soon as it exists; create it, or name another"
            )
        };
        found.extend(Finding::each(
            &well,
            Level::Warn,
            missing.into_iter().map(problem).collect(),
        ));
    }
    found
}

async fn keys(project: &Project, app: &Application) -> Vec<Finding> {
    let guarded =
        |api: &&crate::model::Api| api.routes.iter().any(|route| route.authorizer.is_some());
    let apis: Vec<_> = app.apis.iter().filter(guarded).collect();
    if apis.is_empty() {
        return Vec::new();
    }
    let problems = match project.jwks.clone() {
        None => apis
            .iter()
            .filter_map(|api| crate::http::check(api, false).err())
            .collect(),
        Some(source) => KeyStore::load(source, Refresh::default())
            .await
            .err()
            .into_iter()
            .collect(),
    };
    Finding::each("keys for the JWT authorizers", Level::Fail, problems)
}

/// `usher up` raises its own limit as far as it may.
fn descriptors(project: &Project, app: &Application) -> Finding {
    let usual = project
        .concurrency
        .map_or(DEFAULT_CONCURRENCY, |most| most as usize);
    let needs = Needs::of(app, usual);
    let wanted = needs.wanted();
    let processes = needs.processes;
    match allowed_at_most() {
        Ok(hard) if hard >= wanted => Finding::new(
            Level::Ok,
            format!("{hard} open files allowed, about {wanted} may be needed"),
        ),
        Ok(hard) => Finding::new(
            Level::Warn,
            format!(
                "{hard} open files allowed, and {processes} processes may need about {wanted}; what is beyond is throttled. Raise the hard \
                 limit (ulimit -Hn {wanted}), or lower concurrency"
            ),
        ),
        Err(error) => Finding::new(
            Level::Warn,
            format!("the limit of open files is not known: {error}"),
        ),
    }
}

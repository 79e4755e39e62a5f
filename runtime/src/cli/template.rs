//! `usher template`: prints the resolved application.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::arguments::ApplicationArguments;
use super::error::CommandError;
use super::prepare;
use super::settings::print;
use super::shown;
use crate::sources::KINDS;
use crate::terminal;
use sam_template::model::{
    Application, Code, Function, LogFormat, Logging, Script, ScriptSource, Tool,
};
use sam_template::project::Project;
use sam_template::redaction;

/// Prints the resolved application; the warnings go to standard error.
pub(super) fn run(arguments: &ApplicationArguments) -> Result<ExitCode, CommandError> {
    let (project, application) = prepare::application(arguments)?;
    prepare::warn(&application);
    let picture = draw(&application, &project)?;
    print(&redaction::text(&picture, &application.secrets))
}

fn draw(application: &Application, project: &Project) -> Result<String, CommandError> {
    let location = &application.location;
    let mut out = format!(
        "stack {}\nregion {}, account {}\n",
        application.stack, location.region, location.account
    );
    for server in KINDS.iter().filter_map(|kind| kind.server(application)) {
        let _ = writeln!(out, "{server}");
    }
    for function in application.functions.values() {
        draw_function(&mut out, function, application);
    }
    for (id, skipped) in &application.skipped {
        let _ = writeln!(
            out,
            "\nfunction {id} ({})\n  not run: {}",
            skipped.name, skipped.reason
        );
    }
    for kind in KINDS {
        kind.describe(application, &mut out);
    }
    let addresses = project
        .http_addresses(application)
        .map_err(CommandError::configuration)?;
    for api in &application.apis {
        let address = shown(addresses.get(&api.id), "");
        let _ = writeln!(
            out,
            "\nAPI {} on http://{address}{} ({})",
            api.id,
            api.base_path(),
            api.kind.name()
        );
        for route in &api.routes {
            let authorizer = route
                .authorizer
                .as_deref()
                .map(|name| format!("  [{name}]"))
                .unwrap_or_default();
            let scopes = if route.scopes.is_empty() {
                String::new()
            } else {
                format!(" {}", route.scopes.join(" "))
            };
            let _ = writeln!(
                out,
                "  {:7} {} -> {}{authorizer}{scopes}",
                route.method, route.path, route.function
            );
        }
    }
    Ok(out)
}

fn draw_script(script: &Script) -> String {
    let from = match &script.source {
        ScriptSource::Folder(folder) => folder.display().to_string(),
        ScriptSource::Inline(_) => "InlineCode".to_owned(),
    };
    let mut text = format!("{} in {from}", script.runtime);
    for layer in &script.layers {
        let _ = write!(text, ", layer {}", layer.display());
    }
    text
}

fn draw_function(out: &mut String, function: &Function, application: &Application) {
    let from = match &function.code {
        Code::Cargo {
            dir,
            binary: Some(binary),
        } => format!("cargo binary {binary} in {}", dir.display()),
        Code::Cargo { dir, binary: None } => {
            format!("the only cargo binary of the workspace {}", dir.display())
        }
        Code::Tool(build) => {
            let tool = match build.tool {
                Tool::Make => format!("make build-{}", function.id),
                Tool::Go => "go build".to_owned(),
            };
            format!("{tool} in {}", build.working.display())
        }
        Code::Script(script) => draw_script(script),
        Code::Prebuilt(path) => path.display().to_string(),
    };
    let concurrency = shown(function.concurrency, "default");
    let _ = writeln!(
        out,
        "\nfunction {} ({})\n  {from}",
        function.id, function.name
    );
    let _ = writeln!(
        out,
        "  timeout {} s, memory {} MB, concurrency {concurrency}",
        function.timeout.as_secs(),
        function.memory_mb
    );
    if let Some(managed) = &function.managed {
        let _ = writeln!(
            out,
            "  managed instances: {} processes at most, {} invocations each",
            shown(function.max_instances(), "default"),
            managed.max_concurrency
        );
    }
    if !function.qualifiers.is_empty() {
        let qualifiers: Vec<&str> = function.qualifiers.iter().map(String::as_str).collect();
        let _ = writeln!(out, "  versions and aliases {}", qualifiers.join(", "));
    }
    let logging = &function.logging;
    if *logging != Logging::default() {
        let levels = format!(
            ", application {}, system {}",
            logging.application.word(),
            logging.system.word()
        );
        let levels = if logging.is_json() {
            levels
        } else {
            String::new()
        };
        let group = logging
            .group
            .as_deref()
            .map(|group| format!(", group {group}"))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "  log {}{levels}{group}",
            logging.format.unwrap_or(LogFormat::Text).word()
        );
    }
    for (name, value) in &function.environment {
        let value = redaction::variable(name, value, &application.secrets);
        let _ = writeln!(out, "  {name}={}", terminal::line(&value));
    }
}

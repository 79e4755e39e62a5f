//! `usher template`: prints the resolved application.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::arguments::ApplicationArguments;
use super::error::CommandError;
use super::prepare;
use super::settings::print;
use super::shown;
use crate::terminal;
use event_sources::filter::Filters;
use sam_template::model::sqs::name_of;
use sam_template::model::{
    Application, Code, Destination, Function, KafkaMapping, LogFormat, Logging, Queue, SqsMapping,
    Tool,
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
    if let Some(endpoint) = &application.sqs_endpoint {
        let _ = writeln!(out, "SQS at {endpoint}");
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
    for mapping in &application.kafka {
        draw_mapping(&mut out, mapping);
    }
    for queue in &application.queues {
        draw_queue(&mut out, queue);
    }
    for mapping in &application.sqs {
        draw_sqs(&mut out, mapping);
    }
    for schedule in &application.schedules {
        let state = if schedule.enabled { "" } else { " (disabled)" };
        let _ = writeln!(
            out,
            "\nschedule {}{state} -> {}\n  {} {}",
            schedule.id, schedule.function, schedule.expression, schedule.timezone
        );
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

fn draw_mapping(out: &mut String, mapping: &KafkaMapping) {
    let state = if mapping.enabled { "" } else { " (disabled)" };
    let retries = shown(mapping.max_retries, "unlimited");
    let _ = writeln!(out, "\nKafka {}{state} -> {}", mapping.id, mapping.function);
    let _ = writeln!(
        out,
        "  {} at {}, group {}",
        mapping.topics.join(", "),
        mapping.bootstrap_servers,
        mapping.group
    );
    let _ = writeln!(
        out,
        "  batch {}, window {} s, partial responses {}, bisect {}, retries {retries}",
        mapping.batch_size,
        mapping.batching_window.as_secs(),
        mapping.partial_responses,
        mapping.bisect
    );
    if let Some(age) = mapping.max_age {
        let _ = writeln!(
            out,
            "  records older than {} s are discarded",
            age.as_secs()
        );
    }
    if let Some(destination) = &mapping.on_failure {
        let to = match destination {
            Destination::Sqs(arn) => format!("queue {}", name_of(arn)),
            Destination::KafkaTopic(topic) => format!("topic {topic}"),
        };
        let _ = writeln!(out, "  discarded records go to the {to}");
    }
    let security = &mapping.security;
    if security.tls {
        let login = security
            .login
            .as_ref()
            .map(|login| format!(", {} as {}", login.mechanism, login.username));
        let certificate = if security.certificate.is_some() {
            ", client certificate"
        } else {
            ""
        };
        let _ = writeln!(out, "  TLS{}{certificate}", login.unwrap_or_default());
    }
    draw_filters(out, mapping.filters.as_ref());
}

fn draw_filters(out: &mut String, filters: Option<&Filters>) {
    for pattern in filters.map(Filters::sources).unwrap_or_default() {
        let _ = writeln!(out, "  filter {pattern}");
    }
}

fn draw_queue(out: &mut String, queue: &Queue) {
    let _ = writeln!(out, "\nqueue {} ({})", queue.id, queue.name);
    let attributes: Vec<String> = queue
        .attributes
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let _ = writeln!(out, "  {}", attributes.join(", "));
    if let Some(redrive) = &queue.redrive {
        let _ = writeln!(
            out,
            "  after {} receives to {}",
            redrive.max_receives,
            redrive.target_name()
        );
    }
}

fn draw_sqs(out: &mut String, mapping: &SqsMapping) {
    let state = if mapping.enabled { "" } else { " (disabled)" };
    let concurrency = shown(mapping.max_concurrency, "the function's");
    let _ = writeln!(
        out,
        "\nSQS {}{state} -> {}\n  {}",
        mapping.id,
        mapping.function,
        mapping.queue_name()
    );
    let _ = writeln!(
        out,
        "  batch {}, window {} s, partial responses {}, concurrency {concurrency}",
        mapping.batch_size,
        mapping.batching_window.as_secs(),
        mapping.partial_responses
    );
    draw_filters(out, mapping.filters.as_ref());
}

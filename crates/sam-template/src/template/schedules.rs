//! Events of type `Schedule` and `ScheduleV2`.

use jiff::Timestamp;

use super::function_event::FunctionEvent;
use super::resources::resolved;
use super::scope::Scope;
use crate::document::{Node, Problems, Reader, nearest};
use crate::model::{Application, Schedule, ScheduleKind};
use crate::project::Project;
use crate::schedule::{Expression, instant, zone};

pub(super) const RULE: [&str; 8] = [
    "Schedule",
    "Input",
    "Enabled",
    "State",
    "Name",
    "Description",
    "DeadLetterConfig",
    "RetryPolicy",
];
pub(super) const SCHEDULER: [&str; 16] = [
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "Input",
    "State",
    "Name",
    "Description",
    "FlexibleTimeWindow",
    "GroupName",
    "StartDate",
    "EndDate",
    "KmsKeyArn",
    "PermissionsBoundary",
    "RoleArn",
    "OmitName",
    "DeadLetterConfig",
    "RetryPolicy",
];

/// Reads one event of either type.
pub(super) fn read(
    event: &FunctionEvent<'_>,
    kind: &str,
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    let before = problems.failures();
    let (kind, known, key) = match kind {
        "Schedule" => (ScheduleKind::Rule, &RULE[..], "Schedule"),
        _ => (
            ScheduleKind::Scheduler,
            &SCHEDULER[..],
            "ScheduleExpression",
        ),
    };
    let what = format!("schedule {}", event.id);
    Reader::new(event.properties, what.clone()).only(known, problems);
    let wanted = [
        key,
        "ScheduleExpressionTimezone",
        "Input",
        "Enabled",
        "State",
        "Name",
        "StartDate",
        "EndDate",
        "FlexibleTimeWindow",
        "GroupName",
    ];
    let Some(properties) = resolved(event.properties, &wanted, scope, problems) else {
        return;
    };
    let reader = Reader::new(&properties, what);
    let Some(expression) = reader.required(key, "Write for example rate(5 minutes).", problems)
    else {
        return;
    };
    if let Err(wrong) = Expression::parse(expression).and_then(|e| e.allowed_on(kind).map(|()| e)) {
        problems.error(
            reader.line(key),
            format!("{}: {expression} {wrong}", reader.what),
        );
    }
    let timezone = reader
        .text("ScheduleExpressionTimezone", problems)
        .unwrap_or("UTC");
    if let Err(wrong) = zone(timezone) {
        problems.error(
            reader.line("ScheduleExpressionTimezone"),
            format!("{}: {wrong}", reader.what),
        );
    }
    let start = date(&reader, "StartDate", problems);
    let end = date(&reader, "EndDate", problems);
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        problems.error(
            reader.line("EndDate"),
            format!(
                "{}: EndDate is before StartDate. The schedule would never fire.",
                reader.what
            ),
        );
    }
    flexible_window(&reader, problems);
    let input = reader.text("Input", problems).map(str::to_owned);
    if input.as_deref().is_some_and(|text| {
        kind == ScheduleKind::Rule && strict_json::from_str::<serde_json::Value>(text).is_err()
    }) {
        problems.error(
            reader.line("Input"),
            format!(
                "{}: Input must be JSON. Quote plain text: '\"text\"'.",
                reader.what
            ),
        );
    }
    let switched = match reader.text("State", problems) {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => {
            problems.error(
                reader.line("State"),
                format!(
                    "{}: State is ENABLED or DISABLED, not {other}.",
                    reader.what
                ),
            );
            false
        }
    };
    let name = name(&reader, problems)
        .unwrap_or_else(|| format!("{}-{}", scope.stack, event.id.replace('.', "")));
    let arn = match kind {
        ScheduleKind::Rule => scope.location.arn("events", &format!("rule/{name}")),
        ScheduleKind::Scheduler => {
            let group = reader.text("GroupName", problems).unwrap_or("default");
            scope
                .location
                .arn("scheduler", &format!("schedule/{group}/{name}"))
        }
    };
    let schedule = Schedule {
        id: event.id.clone(),
        function: event.function.to_owned(),
        expression: expression.to_owned(),
        timezone: timezone.to_owned(),
        input,
        kind,
        enabled: switched && reader.flag("Enabled", problems).unwrap_or(true),
        start,
        end,
        arn,
    };
    if problems.failures() == before {
        application.schedules.push(schedule);
    }
}

/// `Name`, in the bounds of both services.
fn name(reader: &Reader<'_>, problems: &mut Problems) -> Option<String> {
    let name = reader.text("Name", problems)?;
    let sound = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !sound || !(1..=64).contains(&name.len()) {
        let message = format!(
            "{}: Name is '{name}'. Use 1 to 64 letters, digits and signs of .-_ only.",
            reader.what
        );
        problems.wrong_kind(reader.line("Name"), "Name", message);
    }
    Some(name.to_owned())
}

/// A time such as `2030-01-31T12:00:00Z`; UTC without an offset.
fn date(reader: &Reader<'_>, key: &str, problems: &mut Problems) -> Option<Timestamp> {
    let text = reader.text(key, problems)?;
    let read = instant(text);
    if read.is_none() {
        problems.error(
            reader.line(key),
            format!(
                "{}: {key} is not a time: {text}. Write 2030-01-31T12:00:00Z.",
                reader.what
            ),
        );
    }
    read
}

/// Checks `FlexibleTimeWindow`. The service fires at any time in the window, this host at its
/// start.
fn flexible_window(reader: &Reader<'_>, problems: &mut Problems) {
    let Some(window) = reader.child("FlexibleTimeWindow", problems) else {
        return;
    };
    let minutes = window.number("MaximumWindowInMinutes", 1..=1440, problems);
    match window.required("Mode", "Write `Mode: OFF` or FLEXIBLE.", problems) {
        Some("FLEXIBLE") if minutes.is_none() && window.get("MaximumWindowInMinutes").is_none() => {
            problems.error(
                window.node.line,
                format!(
                    "{}: a FLEXIBLE window needs a length. Write `MaximumWindowInMinutes: 15`.",
                    window.what
                ),
            );
        }
        Some("OFF" | "FLEXIBLE") | None => {}
        Some(other) => {
            problems.error(
                window.line("Mode"),
                format!("{}: Mode is OFF or FLEXIBLE, not {other}.", window.what),
            );
        }
    }
}

/// Applies the expressions of usher.toml, where a rate may be in seconds. A schedule whose function
/// has a false condition may be named, so that usher.toml need not follow the parameters.
pub(super) fn apply_overrides(
    root: &Node,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    for (id, expression) in &project.schedules {
        let known: Vec<String> = application.schedules.iter().map(|s| s.id.clone()).collect();
        match application.schedules.iter_mut().find(|s| s.id == *id) {
            Some(schedule) => match Expression::parse(expression) {
                Ok(_) => schedule.expression.clone_from(expression),
                Err(wrong) => problems.error(
                    0,
                    format!("usher.toml [schedules] {id}: {expression} {wrong}"),
                ),
            },
            // A schedule with an invalid definition has been reported.
            None if problems.has_errors() || declares(root, id, &["Schedule", "ScheduleV2"]) => {}
            None => {
                let hint = match nearest(id, known.iter().map(String::as_str)) {
                    Some(near) => format!("Did you mean {near}?"),
                    None => format!(
                        "The schedules are: {}.",
                        super::parameters::listed(known.iter())
                    ),
                };
                problems.error(
                    0,
                    format!(
                        "usher.toml [schedules] names {id}, which is not a schedule of the \
                         template. {hint}"
                    ),
                );
            }
        }
    }
}

/// Whether the template declares this event (`Function.Event`) with one of these types, even if the
/// function's condition is false.
pub(super) fn declares(root: &Node, id: &str, types: &[&str]) -> bool {
    let kind = id.split_once('.').and_then(|(function, event)| {
        let events = root
            .get("Resources")?
            .get(function)?
            .get("Properties")?
            .get("Events")?;
        events.get(event)?.get("Type")?.text()
    });
    kind.is_some_and(|kind| types.contains(&kind))
}

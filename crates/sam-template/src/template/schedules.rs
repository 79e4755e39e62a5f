//! Events of type `Schedule` and `ScheduleV2`.

use jiff::Timestamp;

use super::function_event::FunctionEvent;
use super::parameters::did_you_mean_or;
use super::scope::Scope;
use crate::document::{Reader, is_name};
use crate::model::{Application, Schedule, ScheduleKind};
use crate::schedule::{Expression, instant, zone};

/// Properties of either type that are read; a type has some of them.
pub(super) const READ: &str = "Schedule ScheduleExpression ScheduleExpressionTimezone Input \
    Enabled State Name StartDate EndDate FlexibleTimeWindow GroupName";

/// Reads one event of either type.
pub(super) fn read(event: &FunctionEvent<'_>, scope: &Scope<'_>, application: &mut Application) {
    let before = scope.problems.failures();
    let (kind, key) = match event.kind {
        "Schedule" => (ScheduleKind::Rule, "Schedule"),
        _ => (ScheduleKind::Scheduler, "ScheduleExpression"),
    };
    let what = format!("schedule {}", event.id);
    let Some(properties) = event.resolved(&what, READ, scope) else {
        return;
    };
    let reader = Reader::new(&properties, what, scope.problems);
    let Some(expression) = reader.required(key, "Write for example rate(5 minutes).") else {
        return;
    };
    if let Err(wrong) = Expression::parse(expression).and_then(|e| e.allowed_on(kind).map(|()| e)) {
        reader.error(key, &format!("{expression} {wrong}"));
    }
    let timezone = reader.text("ScheduleExpressionTimezone").unwrap_or("UTC");
    if let Err(wrong) = zone(timezone) {
        reader.error("ScheduleExpressionTimezone", &wrong.to_string());
    }
    let start = date(&reader, "StartDate");
    let end = date(&reader, "EndDate");
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        let message = "EndDate is before StartDate. The schedule would never fire.";
        reader.error("EndDate", message);
    }
    flexible_window(&reader);
    let input = reader.string("Input");
    let is_json = |text: &str| strict_json::from_str::<serde_json::Value>(text).is_ok();
    if kind == ScheduleKind::Rule && input.as_deref().is_some_and(|text| !is_json(text)) {
        reader.error("Input", "Input must be JSON. Quote plain text: '\"text\"'.");
    }
    let state = reader.choice("State", &["ENABLED", "DISABLED"]);
    let name =
        name(&reader).unwrap_or_else(|| format!("{}-{}", scope.stack, event.id.replace('.', "")));
    let arn = match kind {
        ScheduleKind::Rule => scope.location.arn("events", &format!("rule/{name}")),
        ScheduleKind::Scheduler => {
            let group = reader.text("GroupName").unwrap_or("default");
            let resource = format!("schedule/{group}/{name}");
            scope.location.arn("scheduler", &resource)
        }
    };
    let schedule = Schedule {
        id: event.id.clone(),
        function: event.function.to_owned(),
        expression: expression.to_owned(),
        timezone: timezone.to_owned(),
        input,
        kind,
        enabled: state != Some("DISABLED") && reader.flag("Enabled").unwrap_or(true),
        start,
        end,
        arn,
    };
    if scope.problems.failures() == before {
        application.schedules.push(schedule);
    }
}

/// `Name`, in the bounds of both services.
fn name(reader: &Reader<'_>) -> Option<String> {
    let name = reader.text("Name")?;
    if !is_name(name, ".-_", 64) {
        let message =
            format!("Name is '{name}'. Use 1 to 64 letters, digits and signs of .-_ only.");
        reader.invalid("Name", &message);
    }
    Some(name.to_owned())
}

/// A time such as `2030-01-31T12:00:00Z`; UTC without an offset.
fn date(reader: &Reader<'_>, key: &str) -> Option<Timestamp> {
    let text = reader.text(key)?;
    let read = instant(text);
    if read.is_none() {
        let message = format!("{key} is not a time: {text}. Write 2030-01-31T12:00:00Z.");
        reader.error(key, &message);
    }
    read
}

/// Checks `FlexibleTimeWindow`. The service fires at any time in the window, this host at its
/// start.
fn flexible_window(reader: &Reader<'_>) {
    let Some(window) = reader.child("FlexibleTimeWindow") else {
        return;
    };
    window.number("MaximumWindowInMinutes", 1..=1440);
    window.required("Mode", "Write `Mode: OFF` or FLEXIBLE.");
    let mode = window.choice("Mode", &["OFF", "FLEXIBLE"]);
    if mode == Some("FLEXIBLE") && !window.has("MaximumWindowInMinutes") {
        let message = "a FLEXIBLE window needs a length. Write `MaximumWindowInMinutes: 15`.";
        window.error_on(window.node.line, message);
    }
}

/// Applies the expressions of usher.toml, where a rate may be in seconds. A schedule whose function
/// has a false condition may be named, so that usher.toml need not follow the parameters.
pub(super) fn apply_overrides(scope: &Scope<'_>, application: &mut Application) {
    for (id, expression) in &scope.project.schedules {
        let known: Vec<String> = application.schedules.iter().map(|s| s.id.clone()).collect();
        match application.schedules.iter_mut().find(|s| s.id == *id) {
            Some(schedule) => match Expression::parse(expression) {
                Ok(_) => schedule.expression.clone_from(expression),
                Err(wrong) => {
                    let message = format!("usher.toml [schedules] {id}: {expression} {wrong}");
                    scope.problems.error(0, message);
                }
            },
            // A schedule with an invalid definition has been reported.
            None if scope.problems.has_errors()
                || scope.declares(id, &["Schedule", "ScheduleV2"]) => {}
            None => {
                let hint =
                    did_you_mean_or("The schedules are", id, known.iter().map(String::as_str));
                let message = format!(
                    "usher.toml [schedules] names {id}, which is not a schedule of the template. \
                     {hint}"
                );
                scope.problems.error(0, message);
            }
        }
    }
}

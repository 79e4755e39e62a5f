//! Reads a SAM template into one [`Application`].
//!
//! The steps, in order: the text becomes a tree with lines (`document`); [`parameters`] get their
//! values, which [`rules`] check together; [`conditions`] are decided, and resources with a false condition are left out;
//! [`globals`] are merged into the [`resources`]; a [`scope`] evaluates the intrinsic functions
//! ([`intrinsics`]) of the properties that are read; the readers ([`functions`], [`queues`],
//! [`event_invoke`], [`events`], [`kafka`], [`sqs`], [`filters`], [`schedules`], [`apis`]) build
//! the model. [`shapes`] then checks the kind of every other value.
//!
//! Every problem is reported with its line, what is wrong and what to write instead, and without
//! its consequences. What this host does not run is a warning if the rest still works, and an error
//! if the rest would behave otherwise than on AWS (an authorizer that is not checked, a destination
//! that cannot be reached).

mod apis;
mod calls;
mod conditions;
mod declared;
mod dynamic_references;
mod environment;
mod event_invoke;
mod events;
mod filters;
mod function_event;
mod functions;
mod globals;
mod intrinsics;
mod kafka;
mod logging;
mod mapping;
mod names;
mod parameters;
mod queues;
mod reserved;
mod resource;
mod resources;
mod return_values;
mod rules;
mod schedules;
mod scope;
mod shapes;
mod sqs;
mod unapplied;
mod usage;

#[cfg(test)]
mod sam_lists_tests;

use std::collections::BTreeSet;
use std::path::Path;

use crate::document::{Node, Problems, Reader, parse_json, parse_yaml};
use crate::model::{Application, Diagnostic};
use crate::project::{Project, TEMPLATES, in_folder};
use crate::redaction;

pub use events::source_events;

/// The transform that this host applies.
const SAM: &str = "AWS::Serverless-2016-10-31";

/// A transform of which the functions are evaluated; loops are not.
const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// Transforms of the service that do not affect functions.
const WITHOUT_EFFECT: [&str; 3] = [
    "AWS::SecretsManager-2020-07-23",
    "AWS::SecretsManager-2024-09-16",
    "AWS::CodeDeployBlueGreen",
];

/// Size limit of a template on the service, bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Resolves a template with the settings of a project.
///
/// # Errors
/// Every problem, by line.
pub fn load(template: &Path, project: &Project) -> Result<Application, Vec<Diagnostic>> {
    let (application, problems) = check(template, project);
    if problems.is_empty() {
        Ok(application)
    } else {
        Err(problems)
    }
}

/// As [`load`], but returns the valid part beside the problems, so that its servers can be probed.
pub fn check(template: &Path, project: &Project) -> (Application, Vec<Diagnostic>) {
    let problems = Problems::new(template.display().to_string());
    let application =
        read_file(template, &problems).and_then(|text| parse(&text, template, project, &problems));
    let mut application = application.unwrap_or_default();
    let secrets = application.secrets.clone();
    match problems.finish() {
        Ok(warnings) => {
            application.warnings = redacted(warnings, &secrets);
            (application, Vec::new())
        }
        Err(errors) => (application, redacted(errors, &secrets)),
    }
}

/// Hides secrets: a message quotes the invalid value, which may come from a secret parameter.
fn redacted(mut found: Vec<Diagnostic>, secrets: &BTreeSet<String>) -> Vec<Diagnostic> {
    for diagnostic in &mut found {
        diagnostic.message = redaction::text(&diagnostic.message, secrets).into_owned();
    }
    found
}

fn read_file(template: &Path, problems: &Problems) -> Option<String> {
    let size = std::fs::metadata(template).map(|m| m.len());
    if size.is_ok_and(|bytes| bytes > MAX_BYTES) {
        let message =
            "the template is larger than 1 MB, which the service refuses. Split it into stacks.";
        problems.error(0, message);
        return None;
    }
    match std::fs::read_to_string(template) {
        Ok(text) => Some(text),
        Err(error) => {
            let built = template.with_file_name(".aws-sam").join("build");
            let built = in_folder(&built)
                .map(|file| format!(" `sam build` left {}.", file.display()))
                .unwrap_or_default();
            let message = format!(
                "cannot read the template: {error}. Run in the folder of {}, or name it with \
                 --template FILE.{built}",
                TEMPLATES.join(", ")
            );
            problems.error(0, message);
            None
        }
    }
}

fn parse(text: &str, file: &Path, project: &Project, problems: &Problems) -> Option<Application> {
    let is_json = file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let read = if is_json { parse_json } else { parse_yaml };
    let root = read(text, problems)?;
    let folder = file
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let extended = check_sections(&root, problems);

    let stack = project
        .stack
        .clone()
        .unwrap_or_else(|| scope::stack_name(&folder));
    let declared = parameters::evaluate(&root, project, problems);
    let mut scope = scope::Scope::new(stack, declared, &root, project, problems);
    scope.extended = extended;
    rules::check(&scope);
    conditions::decide(&mut scope);
    scope.resources = resources::read(&scope);

    let mut application = Application {
        stack: scope.stack.clone(),
        location: scope.location.clone(),
        secrets: scope.secrets(),
        ..Application::default()
    };
    functions::read(&scope, &folder, &mut application);
    functions::apply_overrides(&scope, &mut application);
    environment::apply(&scope, &mut application);
    queues::read(&scope, &mut application);
    event_invoke::read(&scope, &mut application);
    events::read(&scope, &mut application);
    apis::check_throttling(&scope, &application);
    unapplied::check(&scope);
    kafka::checks::check(&scope, &mut application);
    sqs::checks::check(&scope, &mut application);
    shapes::check(&scope);
    schedules::apply_overrides(&scope, &mut application);
    for api in &mut application.apis {
        api.location = scope.location.clone();
    }
    kafka::checks::check_names(&scope, &application);
    declared::read(&scope, &mut application);
    Some(application)
}

/// Checks the top level. True: the transform `AWS::LanguageExtensions` is declared.
fn check_sections(root: &Node, problems: &Problems) -> bool {
    const SECTIONS: &str = "AWSTemplateFormatVersion Description Transform Globals Metadata \
        Parameters Rules Mappings Conditions Resources Outputs";
    let reader = Reader::new(root, "the template", problems);
    if root.entries().is_empty() {
        // Also for a text or a list.
        let message =
            "a template is a mapping with a Resources section. This file holds something else.";
        problems.error(root.line, message);
        return false;
    }
    reader.only(SECTIONS);
    let before = problems.failures();
    let transforms = reader.texts_or_one("Transform");
    let line = reader.line("Transform");
    let extended = transforms.contains(&LANGUAGE_EXTENSIONS);
    if problems.failures() == before && !transforms.contains(&SAM) {
        let (line, what) = if transforms.is_empty() {
            (1, "Transform")
        } else {
            (line, "SAM transform")
        };
        let message = format!("the template has no {what}. Write `Transform: {SAM}`.");
        problems.error(line, message);
    }
    for transform in transforms.into_iter().filter(|transform| *transform != SAM) {
        if transform == LANGUAGE_EXTENSIONS {
            let message = "of AWS::LanguageExtensions this host evaluates Fn::Length, \
                Fn::ToJsonString and DefaultValue of Fn::FindInMap; a loop (Fn::ForEach) in what \
                is read is refused.";
            problems.warn(line, message);
        } else if WITHOUT_EFFECT.contains(&transform) {
            let message =
                format!("the transform {transform} is not applied; it changes no function.");
            problems.warn(line, message);
        } else {
            let message = format!(
                "the transform {transform} is a macro that only the service can run. Use \
                 `Transform: {SAM}`."
            );
            problems.error(line, message);
        }
    }
    if root.get("Resources").is_none() {
        let message =
            "the template has no Resources. Declare at least one AWS::Serverless::Function.";
        problems.error(root.line, message);
    }
    extended
}

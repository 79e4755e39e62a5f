//! Reads a SAM template into one [`Application`].
//!
//! The steps, in order: the text becomes a tree with lines (`document`); [`parameters`] get their
//! values; [`conditions`] are decided, and resources with a false condition are left out;
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
mod names;
mod parameters;
mod queues;
mod reserved;
mod resource;
mod resources;
mod return_values;
mod schedules;
mod scope;
mod shapes;
mod sqs;
mod unapplied;

#[cfg(test)]
mod sam_lists_tests;

use std::collections::BTreeSet;
use std::path::Path;

use crate::document::{Node, Problems, Reader, parse_json, parse_yaml};
use crate::model::{Application, Diagnostic};
use crate::project::{Project, TEMPLATES, in_folder};
use crate::redaction;

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
    let mut problems = Problems::new(template.display().to_string());
    let application = read_file(template, &mut problems)
        .and_then(|text| parse(&text, template, project, &mut problems));
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

fn read_file(template: &Path, problems: &mut Problems) -> Option<String> {
    let size = std::fs::metadata(template).map(|m| m.len());
    if size.is_ok_and(|bytes| bytes > MAX_BYTES) {
        problems.error(
            0,
            "the template is larger than 1 MB, which the service refuses. Split it into stacks.",
        );
        return None;
    }
    match std::fs::read_to_string(template) {
        Ok(text) => Some(text),
        Err(error) => {
            let built = template.with_file_name(".aws-sam").join("build");
            let built = in_folder(&built)
                .map(|file| format!(" `sam build` left {}.", file.display()))
                .unwrap_or_default();
            problems.error(
                0,
                format!(
                    "cannot read the template: {error}. Run in the folder of {}, or name it with \
                     --template FILE.{built}",
                    TEMPLATES.join(", ")
                ),
            );
            None
        }
    }
}

fn parse(
    text: &str,
    file: &Path,
    project: &Project,
    problems: &mut Problems,
) -> Option<Application> {
    let is_json = file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let root = if is_json {
        parse_json(text, problems)?
    } else {
        parse_yaml(text, problems)?
    };
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
    let mut scope = scope::Scope::new(stack, declared, &root, project);
    scope.extended = extended;
    conditions::decide(&root, &mut scope, problems);
    let resources = resources::read(&root, &scope, problems);
    scope.know(&resources, problems.file());

    let mut application = Application {
        stack: scope.stack.clone(),
        location: scope.location.clone(),
        secrets: scope.secrets(),
        ..Application::default()
    };
    functions::read(&resources, &scope, &folder, &mut application, problems);
    environment::apply(project, &mut application, problems);
    queues::read(&resources, &scope, &mut application, problems);
    event_invoke::read(&resources, &scope, &mut application, problems);
    events::read(&resources, &scope, project, &mut application, problems);
    apis::check_throttling(&resources, &application, problems);
    unapplied::check(&resources, &scope, problems);
    kafka::checks::check(&resources, &mut application, problems);
    sqs::checks::check(&resources, &application, problems);
    shapes::check(&root, &scope, problems);
    schedules::apply_overrides(&root, project, &mut application, problems);
    for api in &mut application.apis {
        api.location = scope.location.clone();
    }
    kafka::checks::check_names(&root, project, &application, problems);
    Some(application)
}

/// Checks the top level. True: the transform `AWS::LanguageExtensions` is declared.
fn check_sections(root: &Node, problems: &mut Problems) -> bool {
    const SECTIONS: [&str; 11] = [
        "AWSTemplateFormatVersion",
        "Description",
        "Transform",
        "Globals",
        "Metadata",
        "Parameters",
        "Rules",
        "Mappings",
        "Conditions",
        "Resources",
        "Outputs",
    ];
    let reader = Reader::new(root, "the template");
    if root.entries().is_empty() {
        // Also for a text or a list.
        problems.error(
            root.line,
            "a template is a mapping with a Resources section. This file holds something else.",
        );
        return false;
    }
    reader.only(&SECTIONS, problems);
    let before = problems.failures();
    let transforms = reader.texts_or_one("Transform", problems);
    let line = reader.line("Transform");
    let extended = transforms.contains(&LANGUAGE_EXTENSIONS);
    if problems.failures() == before && !transforms.contains(&SAM) {
        let (line, what) = if transforms.is_empty() {
            (1, "Transform")
        } else {
            (line, "SAM transform")
        };
        problems.error(
            line,
            format!("the template has no {what}. Write `Transform: {SAM}`."),
        );
    }
    for transform in transforms.into_iter().filter(|transform| *transform != SAM) {
        if transform == LANGUAGE_EXTENSIONS {
            let message = "of AWS::LanguageExtensions this host evaluates Fn::Length, \
                Fn::ToJsonString and DefaultValue of Fn::FindInMap; a loop (Fn::ForEach) in what \
                is read is refused.";
            problems.warn(line, message);
        } else if WITHOUT_EFFECT.contains(&transform) {
            problems.warn(
                line,
                format!("the transform {transform} is not applied; it changes no function."),
            );
        } else {
            problems.error(
                line,
                format!(
                    "the transform {transform} is a macro that only the service can run. Use \
                     `Transform: {SAM}`."
                ),
            );
        }
    }
    if root.get("Resources").is_none() {
        problems.error(
            root.line,
            "the template has no Resources. Declare at least one AWS::Serverless::Function.",
        );
    }
    extended
}

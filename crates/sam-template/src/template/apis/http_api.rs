//! `AWS::Serverless::HttpApi` and the `HttpApi` events that route to functions.

use std::time::Duration;

use super::super::function_event::FunctionEvent;
use super::super::resources::{IMPLICIT_HTTP_API, Resource, resolved};
use super::super::scope::Scope;
use super::route::Owner;
use super::{cors, jwt, route, throttling};
use crate::document::{Problems, Reader};
use crate::model::{Api, ApiKind, Application, Route};

/// Longest time that an HTTP API waits for a function.
const MAX_TIMEOUT_MS: i64 = 30_000;

pub(in super::super) const READ: [&str; 6] = [
    "Auth",
    "CorsConfiguration",
    "DefaultRouteSettings",
    "RouteSettings",
    "StageName",
    "StageVariables",
];
/// Other properties that SAM accepts. Definitions are not read, so they are not evaluated.
pub(in super::super) const ALSO: [&str; 10] = [
    "AccessLogSettings",
    "DefinitionBody",
    "DefinitionUri",
    "Description",
    "DisableExecuteApiEndpoint",
    "Domain",
    "FailOnWarnings",
    "Name",
    "PropagateTags",
    "Tags",
];
pub(in super::super) const EVENT: [&str; 7] = [
    "ApiId",
    "Path",
    "Method",
    "Auth",
    "TimeoutInMillis",
    "PayloadFormatVersion",
    "RouteSettings",
];
const OWNER: Owner = Owner {
    key: "ApiId",
    implicit: IMPLICIT_HTTP_API,
    event: "HttpApi",
    resource: "AWS::Serverless::HttpApi",
    is_kind: |kind| matches!(kind, ApiKind::Http),
};

/// Reads the APIs. The functions' events add their routes.
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    for resource in resources
        .iter()
        .filter(|r| r.kind == "AWS::Serverless::HttpApi")
    {
        let what = format!("API {}", resource.id);
        let known: Vec<&str> = READ.iter().chain(&ALSO).copied().collect();
        Reader::new(&resource.properties, what.clone()).only(&known, problems);
        let mut api = Api {
            id: resource.id.clone(),
            stage: "$default".into(),
            ..Api::default()
        };
        if route::routes_only_skipped(&OWNER, &resource.id, resources, application) {
            application.apis.push(api);
            continue;
        }
        if let Some(properties) = resource.resolved(&READ, scope, problems) {
            let reader = Reader::new(&properties, what);
            for key in ["DefinitionBody", "DefinitionUri"] {
                if resource.has(key, scope) {
                    problems.warn(
                        resource.line_of(key),
                        format!(
                            "{}: {key} is not read; only routes written as HttpApi events are \
                             served.",
                            reader.what
                        ),
                    );
                }
            }
            if let Some(stage) = reader.text("StageName", problems) {
                if stage != "$default" && !route::is_stage_name(stage) {
                    let message = format!(
                        "{}: StageName is '{stage}'. Use $default, or 1 to 128 letters, digits, _ \
                         and -.",
                        reader.what
                    );
                    problems.error(reader.line("StageName"), message);
                }
                stage.clone_into(&mut api.stage);
            }
            api.variables = route::variables(&reader, "StageVariables", problems);
            api.cors = cors::read_or_all(&reader, "CorsConfiguration", problems);
            throttling::http_api(&reader, &mut api, problems);
            if let Some(auth) = reader.child("Auth", problems) {
                jwt::declared(&auth, &mut api, problems);
            }
        }
        application.apis.push(api);
    }
}

/// Adds one event's route to its API.
pub(in super::super) fn read_event(
    event: &FunctionEvent<'_>,
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    let what = format!("route {}", event.id);
    let before = problems.failures();
    Reader::new(event.properties, what.clone()).only(&EVENT, problems);
    let wanted = [
        "Path",
        "Method",
        "Auth",
        "TimeoutInMillis",
        "PayloadFormatVersion",
        "RouteSettings",
    ];
    let Some(properties) = resolved(event.properties, &wanted, scope, problems) else {
        return;
    };
    let reader = Reader::new(&properties, what);
    if reader
        .text("PayloadFormatVersion", problems)
        .is_some_and(|v| v != "2.0")
    {
        problems.error(
            reader.line("PayloadFormatVersion"),
            format!(
                "{}: only payload format 2.0 is sent from here. Write \"2.0\" or leave it out.",
                reader.what
            ),
        );
    }
    let (method, path) = method_and_path(&reader, event.line, problems);
    let timeout = reader
        .number("TimeoutInMillis", 50..=MAX_TIMEOUT_MS, problems)
        .unwrap_or(MAX_TIMEOUT_MS);
    let Some(api) = route::owner(event, &OWNER, scope, application, problems) else {
        return;
    };
    let (authorizer, scopes) = jwt::of_route(&reader, api, problems);
    let route = Route {
        method,
        path,
        function: event.function.to_owned(),
        authorizer,
        scopes,
        timeout: Duration::from_millis(timeout as u64),
    };
    if let Some(settings) = reader.child("RouteSettings", problems)
        && let Some(limit) = throttling::route(&settings, problems)
    {
        api.throttling.routes.insert(route.key(), limit);
    }
    if problems.failures() == before {
        route::add(route, api, &reader.what, event.line, problems);
    }
}

/// Method and path: both, or neither for the default route.
fn method_and_path(reader: &Reader<'_>, line: usize, problems: &mut Problems) -> (String, String) {
    let method = route::method(reader, problems);
    let Some(path) = reader.text("Path", problems) else {
        if method.is_some() {
            problems.error(
                line,
                format!(
                    "{} has a Method but no Path. Write both, or neither for the route that takes \
                     all else.",
                    reader.what
                ),
            );
        }
        return ("ANY".into(), "$default".into());
    };
    route::check_path(path, reader, problems);
    if reader.get("Method").is_none() {
        let message = format!(
            "{} has a Path but no Method. Write for example `Method: get`, or `any`.",
            reader.what
        );
        problems.error(line, message);
    }
    (method.unwrap_or_else(|| "ANY".into()), path.to_owned())
}

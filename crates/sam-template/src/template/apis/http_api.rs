//! `AWS::Serverless::HttpApi` and the `HttpApi` events that route to functions.

use std::time::Duration;

use super::super::function_event::FunctionEvent;
use super::super::resources::IMPLICIT_HTTP_API;
use super::super::scope::Scope;
use super::route::{self, Owner};
use super::{cors, jwt, throttling};
use crate::document::{Reader, is_name};
use crate::model::{Api, ApiKind, Application, Route};

/// Longest time that an HTTP API waits for a function.
const MAX_TIMEOUT_MS: i64 = 30_000;

/// Properties of the resource that are read.
pub(in super::super) const READ: &str =
    "Auth CorsConfiguration DefaultRouteSettings RouteSettings StageName StageVariables";
/// Properties of an event that are read, apart from the one that names the API.
pub(in super::super) const EVENT: &str =
    "Path Method Auth TimeoutInMillis PayloadFormatVersion RouteSettings";

pub(super) const OWNER: Owner = Owner {
    key: "ApiId",
    implicit: IMPLICIT_HTTP_API,
    event: "HttpApi",
    resource: "AWS::Serverless::HttpApi",
    read: READ,
    empty,
    is_kind: |kind| matches!(kind, ApiKind::Http),
};

/// An API without settings.
pub(super) fn empty() -> Api {
    Api {
        stage: "$default".into(),
        ..Api::default()
    }
}

/// Reads the settings of an API.
pub(super) fn settings(reader: &Reader<'_>, api: &mut Api) {
    if let Some(stage) = reader.text("StageName") {
        if stage != "$default" && !is_name(stage, "_-", 128) {
            let message = format!(
                "StageName is '{stage}'. Use $default, or 1 to 128 letters, digits, _ and -."
            );
            reader.error("StageName", &message);
        }
        stage.clone_into(&mut api.stage);
    }
    api.variables = route::variables(reader, "StageVariables");
    api.cors = cors::read_or_all(reader, "CorsConfiguration");
    throttling::http_api(reader, api);
    if let Some(auth) = reader.child("Auth") {
        jwt::declared(&auth, api);
    }
}

/// Adds one event's route to its API.
pub(in super::super) fn read_event(
    event: &FunctionEvent<'_>,
    scope: &Scope<'_>,
    application: &mut Application,
) {
    let what = format!("route {}", event.id);
    let before = scope.problems.failures();
    let Some(properties) = event.resolved(&what, EVENT, scope) else {
        return;
    };
    let reader = Reader::new(&properties, what, scope.problems);
    let version = reader.text("PayloadFormatVersion");
    if version.is_some_and(|version| version != "2.0") {
        let message = "only payload format 2.0 is sent from here. Write \"2.0\" or leave it out.";
        reader.error("PayloadFormatVersion", message);
    }
    let (method, path) = method_and_path(&reader, event.line);
    let timeout = reader.number("TimeoutInMillis", 50..=MAX_TIMEOUT_MS);
    let Some(api) = route::owner(event, &OWNER, scope, application) else {
        return;
    };
    let (authorizer, scopes) = jwt::of_route(&reader, api);
    let route = Route {
        method,
        path,
        function: event.function.to_owned(),
        authorizer,
        scopes,
        timeout: Duration::from_millis(timeout.unwrap_or(MAX_TIMEOUT_MS) as u64),
    };
    if let Some(settings) = reader.child("RouteSettings")
        && let Some(limit) = throttling::route(&settings)
    {
        api.throttling.routes.insert(route.key(), limit);
    }
    if scope.problems.failures() == before {
        route::add(route, api, &reader, event.line);
    }
}

/// Method and path: both, or neither for the default route.
fn method_and_path(reader: &Reader<'_>, line: usize) -> (String, String) {
    let method = route::method(reader);
    let has_method = method.is_some();
    let method = method.unwrap_or_else(|| "ANY".into());
    let Some(path) = reader.text("Path") else {
        if has_method {
            let message = format!(
                "{} has a Method but no Path. Write both, or neither for the route that takes all \
                 else.",
                reader.what
            );
            reader.problems.error(line, message);
        }
        return ("ANY".into(), "$default".into());
    };
    route::check_path(path, "Path", reader);
    if !reader.has("Method") {
        let message = format!(
            "{} has a Path but no Method. Write for example `Method: get`, or `any`.",
            reader.what
        );
        reader.problems.error(line, message);
    }
    (method, path.to_owned())
}

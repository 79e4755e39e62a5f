//! `AWS::Serverless::Api` and the `Api` events that route to functions.

use std::time::Duration;

use super::super::function_event::FunctionEvent;
use super::super::resources::IMPLICIT_REST_API;
use super::super::scope::Scope;
use super::route::{self, Owner};
use super::throttling;
use crate::document::{Reader, is_name};
use crate::model::{Api, ApiKind, Application, PreflightMock, RestApi, Route};

/// Time that a REST API waits for a function, by default.
const DEFAULT_TIMEOUT_MS: i64 = 29_000;
/// The same with the quota raised to its maximum.
const MAX_TIMEOUT_MS: i64 = 300_000;

/// Stage of the API that SAM creates for events without an API.
const IMPLICIT_STAGE: &str = "Prod";

/// Properties of the resource that are read.
pub(in super::super) const READ: &str =
    "Auth BinaryMediaTypes Cors MethodSettings StageName Variables";
/// Properties of an event that are read, apart from the one that names the API.
pub(in super::super) const EVENT: &str = "Path Method Auth TimeoutInMillis ResponseTransferMode";

pub(super) const OWNER: Owner = Owner {
    key: "RestApiId",
    implicit: IMPLICIT_REST_API,
    event: "Api",
    resource: "AWS::Serverless::Api",
    read: READ,
    empty: || Api {
        kind: ApiKind::Rest(RestApi::default()),
        stage: IMPLICIT_STAGE.into(),
        ..Api::default()
    },
    is_kind: |kind| matches!(kind, ApiKind::Rest(_)),
};

/// Reads the settings of an API.
pub(super) fn settings(reader: &Reader<'_>, api: &mut Api) {
    if api.id != IMPLICIT_REST_API {
        match reader.required("StageName", "Write for example `StageName: prod`.") {
            Some(stage) if !is_name(stage, "_-", 128) => {
                let message =
                    format!("a StageName holds letters, digits, _ and -; '{stage}' does not.");
                reader.error("StageName", &message);
            }
            stage => stage.unwrap_or(IMPLICIT_STAGE).clone_into(&mut api.stage),
        }
    }
    api.variables = route::variables(reader, "Variables");
    throttling::rest_api(reader, api);
    if let Some(auth) = reader.child("Auth") {
        refuse_guards(&auth, "DefaultAuthorizer");
    }
    // SAM templates write a slash as `~1`, as JSON pointers do.
    let binary = reader
        .texts("BinaryMediaTypes")
        .into_iter()
        .map(|kind| kind.replace("~1", "/"));
    api.kind = ApiKind::Rest(RestApi {
        binary_media_types: binary.collect(),
        preflight: preflight(reader),
    });
}

/// Refuses settings that restrict clients and cannot be checked here.
fn refuse_guards(auth: &Reader<'_>, authorizer: &str) {
    const ELSE: &str = "Use an HttpApi with a JWT authorizer, or switch it off for this machine \
        with a parameter: `!If [Local, !Ref AWS::NoValue, ...]`";
    auth.only(
        "AddApiKeyRequiredToCorsPreflight AddDefaultAuthorizerToCorsPreflight ApiKeyRequired \
         AuthorizationScopes Authorizer Authorizers DefaultAuthorizer InvokeRole OverrideApiAuth \
         ResourcePolicy UsagePlan",
    );
    let refuse = |key: &str, why: &str| auth.error(key, &format!("{why}. {ELSE}."));
    let named = auth.text(authorizer);
    if let Some(name) = named.filter(|name| *name != "NONE") {
        let why = format!(
            "the authorizer {name} cannot be run here, and without it the route would be \
             unprotected"
        );
        refuse(authorizer, &why);
    }
    if auth.flag("ApiKeyRequired") == Some(true) {
        let why = "API keys are not checked here, and without them the route would be unprotected";
        refuse("ApiKeyRequired", why);
    }
    let plan = auth.child("UsagePlan");
    let plan = plan.and_then(|plan| plan.text("CreateUsagePlan"));
    if plan.is_some_and(|plan| plan != "NONE") {
        let why = "usage plans are not applied here, and without them no client would be limited";
        refuse("UsagePlan", why);
    }
    if auth.has("ResourcePolicy") {
        let why = "a ResourcePolicy is not applied here, and without it the route would be \
            unprotected";
        refuse("ResourcePolicy", why);
    }
}

/// Reads `Cors`: text is the origin, a mapping has all settings. SAM requires quotes inside every
/// value: `"'*'"`.
fn preflight(reader: &Reader<'_>) -> Option<PreflightMock> {
    let node = reader.get("Cors")?;
    if node.text().is_some() {
        let origin = quoted(reader, "Cors")?;
        return Some(PreflightMock {
            origin,
            ..PreflightMock::default()
        });
    }
    let cors = reader.child("Cors")?;
    cors.only("AllowOrigin AllowMethods AllowHeaders MaxAge AllowCredentials");
    let mock = PreflightMock {
        origin: quoted(&cors, "AllowOrigin").unwrap_or_else(|| "*".into()),
        methods: quoted(&cors, "AllowMethods"),
        headers: quoted(&cors, "AllowHeaders"),
        max_age: quoted(&cors, "MaxAge"),
        credentials: cors.flag("AllowCredentials").unwrap_or(false),
    };
    if mock.credentials && mock.origin == "*" {
        let message = "AllowCredentials and the origin * exclude each other. Name the origin.";
        cors.error("AllowCredentials", message);
    }
    Some(mock)
}

fn quoted(reader: &Reader<'_>, key: &str) -> Option<String> {
    let text = reader.text(key)?;
    let inner = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    if inner.is_none() {
        let message = format!(
            "{key} must stand in quotes of its own, or the service refuses it. Write \"'{text}'\"."
        );
        reader.error(key, &message);
    }
    inner.map(str::to_owned)
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
    let Some(path) = reader.required("Path", "Write for example `Path: /orders/{number}`.") else {
        return;
    };
    route::check_path(path, "Path", &reader);
    let remedy = "Write for example `Method: get`, or `any`.";
    if reader.required("Method", remedy).is_none() {
        return;
    }
    let Some(method) = route::method(&reader) else {
        return;
    };
    if let Some(auth) = reader.child("Auth") {
        refuse_guards(&auth, "Authorizer");
    }
    if reader.text("ResponseTransferMode") == Some("STREAM") {
        let message = "answers are not streamed by this host; they are sent whole.";
        reader.warn("ResponseTransferMode", message);
    }
    for key in ["RequestModel", "RequestParameters"] {
        if let Some(line) = event.properties.get(key).and(event.properties.line_of(key)) {
            let message = format!("{key} is not checked; the function receives every request.");
            reader.warn_on(line, &message);
        }
    }
    let timeout = reader.number("TimeoutInMillis", 50..=MAX_TIMEOUT_MS);
    let Some(api) = route::owner(event, &OWNER, scope, application) else {
        return;
    };
    if scope.problems.failures() == before {
        let route = Route {
            method,
            path: path.to_owned(),
            function: event.function.to_owned(),
            authorizer: None,
            scopes: Vec::new(),
            timeout: Duration::from_millis(timeout.unwrap_or(DEFAULT_TIMEOUT_MS) as u64),
        };
        route::add(route, api, &reader, event.line);
    }
}

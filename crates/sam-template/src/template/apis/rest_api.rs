//! `AWS::Serverless::Api` and the `Api` events that route to functions.

use std::time::Duration;

use super::super::function_event::FunctionEvent;
use super::super::resources::{IMPLICIT_REST_API, Resource, resolved};
use super::super::scope::Scope;
use super::route::{self, Owner};
use super::throttling;
use crate::document::{Problems, Reader};
use crate::model::{Api, ApiKind, Application, PreflightMock, RestApi, Route};

/// Time that a REST API waits for a function, by default.
const DEFAULT_TIMEOUT_MS: i64 = 29_000;
/// The same with the quota raised to its maximum.
const MAX_TIMEOUT_MS: i64 = 300_000;

/// Stage of the API that SAM creates for events without an API.
const IMPLICIT_STAGE: &str = "Prod";

pub(in super::super) const READ: [&str; 6] = [
    "Auth",
    "BinaryMediaTypes",
    "Cors",
    "MethodSettings",
    "StageName",
    "Variables",
];
/// Other properties that SAM accepts. Definitions are not read, so they are not evaluated.
pub(in super::super) const ALSO: [&str; 26] = [
    "AccessLogSetting",
    "AlwaysDeploy",
    "ApiKeySourceType",
    "CacheClusterEnabled",
    "CacheClusterSize",
    "CanarySetting",
    "DefinitionBody",
    "DefinitionUri",
    "Description",
    "DisableExecuteApiEndpoint",
    "Domain",
    "EndpointAccessMode",
    "EndpointConfiguration",
    "FailOnWarnings",
    "GatewayResponses",
    "MergeDefinitions",
    "MinimumCompressionSize",
    "Mode",
    "Models",
    "Name",
    "OpenApiVersion",
    "Policy",
    "PropagateTags",
    "SecurityPolicy",
    "Tags",
    "TracingEnabled",
];
pub(in super::super) const EVENT: [&str; 8] = [
    "RestApiId",
    "Path",
    "Method",
    "Auth",
    "RequestModel",
    "RequestParameters",
    "TimeoutInMillis",
    "ResponseTransferMode",
];
const OWNER: Owner = Owner {
    key: "RestApiId",
    implicit: IMPLICIT_REST_API,
    event: "Api",
    resource: "AWS::Serverless::Api",
    is_kind: |kind| matches!(kind, ApiKind::Rest(_)),
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
        .filter(|r| r.kind == "AWS::Serverless::Api")
    {
        let what = format!("API {}", resource.id);
        let known: Vec<&str> = READ.iter().chain(&ALSO).copied().collect();
        Reader::new(&resource.properties, what.clone()).only(&known, problems);
        let mut api = Api {
            id: resource.id.clone(),
            kind: ApiKind::Rest(RestApi::default()),
            stage: IMPLICIT_STAGE.into(),
            ..Api::default()
        };
        if route::routes_only_skipped(&OWNER, &resource.id, resources, application) {
            application.apis.push(api);
            continue;
        }
        if let Some(properties) = resource.resolved(&READ, scope, problems) {
            let reader = Reader::new(&properties, what);
            settings(&reader, resource, scope, &mut api, problems);
        }
        application.apis.push(api);
    }
}

fn settings(
    reader: &Reader<'_>,
    resource: &Resource,
    scope: &Scope<'_>,
    api: &mut Api,
    problems: &mut Problems,
) {
    for key in ["DefinitionBody", "DefinitionUri"] {
        if resource.has(key, scope) {
            let message = format!(
                "{}: {key} is not read; only routes written as Api events are served.",
                reader.what
            );
            problems.warn(resource.line_of(key), message);
        }
    }
    if resource.id != IMPLICIT_REST_API {
        match reader.required(
            "StageName",
            "Write for example `StageName: prod`.",
            problems,
        ) {
            Some(stage) if !route::is_stage_name(stage) => {
                let message = format!(
                    "{}: a StageName holds letters, digits, _ and -; '{stage}' does not.",
                    reader.what
                );
                problems.error(reader.line("StageName"), message);
            }
            stage => stage.unwrap_or(IMPLICIT_STAGE).clone_into(&mut api.stage),
        }
    }
    api.variables = route::variables(reader, "Variables", problems);
    throttling::rest_api(reader, api, problems);
    if let Some(auth) = reader.child("Auth", problems) {
        refuse_guards(&auth, "DefaultAuthorizer", problems);
    }
    // SAM templates write a slash as `~1`, as JSON pointers do.
    let binary = reader
        .texts("BinaryMediaTypes", problems)
        .into_iter()
        .map(|kind| kind.replace("~1", "/"));
    api.kind = ApiKind::Rest(RestApi {
        binary_media_types: binary.collect(),
        preflight: preflight(reader, problems),
    });
}

/// Refuses settings that restrict clients and cannot be checked here.
fn refuse_guards(auth: &Reader<'_>, authorizer: &str, problems: &mut Problems) {
    const ELSE: &str = "Use an HttpApi with a JWT authorizer, or switch it off for this machine \
        with a parameter: `!If [Local, !Ref AWS::NoValue, ...]`";
    auth.only(
        &[
            "AddApiKeyRequiredToCorsPreflight",
            "AddDefaultAuthorizerToCorsPreflight",
            "ApiKeyRequired",
            "AuthorizationScopes",
            "Authorizer",
            "Authorizers",
            "DefaultAuthorizer",
            "InvokeRole",
            "OverrideApiAuth",
            "ResourcePolicy",
            "UsagePlan",
        ],
        problems,
    );
    if let Some(name) = auth
        .text(authorizer, problems)
        .filter(|name| *name != "NONE")
    {
        let message = format!(
            "{}: the authorizer {name} cannot be run here, and without it the route would be \
             unprotected. {ELSE}.",
            auth.what
        );
        problems.error(auth.line(authorizer), message);
    }
    if auth.flag("ApiKeyRequired", problems) == Some(true) {
        let message = format!(
            "{}: API keys are not checked here, and without them the route would be unprotected. \
             {ELSE}.",
            auth.what
        );
        problems.error(auth.line("ApiKeyRequired"), message);
    }
    let plan = auth
        .child("UsagePlan", problems)
        .and_then(|plan| plan.text("CreateUsagePlan", problems));
    if plan.is_some_and(|plan| plan != "NONE") {
        let message = format!(
            "{}: usage plans are not applied here, and without them no client would be limited. \
             {ELSE}.",
            auth.what
        );
        problems.error(auth.line("UsagePlan"), message);
    }
    if auth.get("ResourcePolicy").is_some() {
        let message = format!(
            "{}: a ResourcePolicy is not applied here, and without it the route would be \
             unprotected. {ELSE}.",
            auth.what
        );
        problems.error(auth.line("ResourcePolicy"), message);
    }
}

/// Reads `Cors`: text is the origin, a mapping has all settings. SAM requires quotes inside every
/// value: `"'*'"`.
fn preflight(reader: &Reader<'_>, problems: &mut Problems) -> Option<PreflightMock> {
    let node = reader.get("Cors")?;
    if node.text().is_some() {
        let origin = quoted(reader, "Cors", problems)?;
        return Some(PreflightMock {
            origin,
            ..PreflightMock::default()
        });
    }
    let cors = reader.child("Cors", problems)?;
    cors.only(
        &[
            "AllowOrigin",
            "AllowMethods",
            "AllowHeaders",
            "MaxAge",
            "AllowCredentials",
        ],
        problems,
    );
    let mock = PreflightMock {
        origin: quoted(&cors, "AllowOrigin", problems).unwrap_or_else(|| "*".into()),
        methods: quoted(&cors, "AllowMethods", problems),
        headers: quoted(&cors, "AllowHeaders", problems),
        max_age: quoted(&cors, "MaxAge", problems),
        credentials: cors.flag("AllowCredentials", problems).unwrap_or(false),
    };
    if mock.credentials && mock.origin == "*" {
        let message = format!(
            "{}: AllowCredentials and the origin * exclude each other. Name the origin.",
            cors.what
        );
        problems.error(cors.line("AllowCredentials"), message);
    }
    Some(mock)
}

fn quoted(reader: &Reader<'_>, key: &str, problems: &mut Problems) -> Option<String> {
    let text = reader.text(key, problems)?;
    let inner = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    if inner.is_none() {
        let message = format!(
            "{}: {key} must stand in quotes of its own, or the service refuses it. Write \
             \"'{text}'\".",
            reader.what
        );
        problems.error(reader.line(key), message);
    }
    inner.map(str::to_owned)
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
        "ResponseTransferMode",
    ];
    let Some(properties) = resolved(event.properties, &wanted, scope, problems) else {
        return;
    };
    let reader = Reader::new(&properties, what);
    let Some(path) = reader.required(
        "Path",
        "Write for example `Path: /orders/{number}`.",
        problems,
    ) else {
        return;
    };
    route::check_path(path, &reader, problems);
    if reader
        .required(
            "Method",
            "Write for example `Method: get`, or `any`.",
            problems,
        )
        .is_none()
    {
        return;
    }
    let Some(method) = route::method(&reader, problems) else {
        return;
    };
    if let Some(auth) = reader.child("Auth", problems) {
        refuse_guards(&auth, "Authorizer", problems);
    }
    if reader.text("ResponseTransferMode", problems) == Some("STREAM") {
        let message = format!(
            "{}: answers are not streamed by this host; they are sent whole.",
            reader.what
        );
        problems.warn(reader.line("ResponseTransferMode"), message);
    }
    for key in ["RequestModel", "RequestParameters"] {
        if event.properties.get(key).is_some() {
            let message = format!(
                "{}: {key} is not checked; the function receives every request.",
                reader.what
            );
            problems.warn(Reader::new(event.properties, "").line(key), message);
        }
    }
    let timeout = reader
        .number("TimeoutInMillis", 50..=MAX_TIMEOUT_MS, problems)
        .unwrap_or(DEFAULT_TIMEOUT_MS);
    let Some(api) = route::owner(event, &OWNER, scope, application, problems) else {
        return;
    };
    if problems.failures() == before {
        let route = Route {
            method,
            path: path.to_owned(),
            function: event.function.to_owned(),
            authorizer: None,
            scopes: Vec::new(),
            timeout: Duration::from_millis(timeout as u64),
        };
        route::add(route, api, &reader.what, event.line, problems);
    }
}

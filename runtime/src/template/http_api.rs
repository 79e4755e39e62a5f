//! `AWS::Serverless::HttpApi` and the `HttpApi` events that route to functions.

use std::time::Duration;

use super::events::Event;
use super::intrinsics::call;
use super::resources::{IMPLICIT_API, Resource, resolved};
use super::scope::Scope;
use crate::document::{Entry, Kind, Node, Problems, Reader, nearest};
use crate::model::{Application, Cors, HttpApi, JwtAuthorizer, Route};

/// Longest an HTTP API waits for a function.
const LONGEST_MS: i64 = 30_000;

const READ: [&str; 5] = ["Auth", "CorsConfiguration", "StageName", "DefinitionBody", "DefinitionUri"];
const ALSO: [&str; 13] = [
    "AccessLogSettings",
    "DefaultRouteSettings",
    "Description",
    "DisableExecuteApiEndpoint",
    "Domain",
    "FailOnWarnings",
    "Name",
    "PropagateTags",
    "RouteSettings",
    "StageVariables",
    "Tags",
    "BasePath",
    "ConnectorConfig",
];
const EVENT: [&str; 8] =
    ["ApiId", "Path", "Method", "Auth", "TimeoutInMillis", "PayloadFormatVersion", "RouteSettings", "OperationName"];
const METHODS: [&str; 8] = ["ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Reads the APIs; their routes come with the functions' events.
pub(super) fn read_apis(resources: &[Resource], scope: &Scope<'_>, application: &mut Application, problems: &mut Problems) {
    for resource in resources.iter().filter(|r| r.kind == "AWS::Serverless::HttpApi") {
        let what = format!("API {}", resource.id);
        let known: Vec<&str> = READ.iter().chain(&ALSO).copied().collect();
        Reader::new(&resource.properties, what.clone()).only(&known, problems);
        let mut api = HttpApi { id: resource.id.clone(), stage: "$default".into(), ..HttpApi::default() };
        if let Some(properties) = resource.resolved(&READ, scope, problems) {
            let reader = Reader::new(&properties, what);
            for key in ["DefinitionBody", "DefinitionUri"] {
                if reader.get(key).is_some() {
                    problems.warn(
                        reader.line(key),
                        format!("{}: {key} is not read; only routes written as HttpApi events are served.", reader.what),
                    );
                }
            }
            if let Some(stage) = reader.text("StageName", problems) {
                stage.clone_into(&mut api.stage);
            }
            api.cors = cors(&reader, problems);
            if let Some(auth) = reader.child("Auth", problems) {
                authorizers(&auth, &mut api, problems);
            }
        }
        application.http_apis.push(api);
    }
}

fn authorizers(auth: &Reader<'_>, api: &mut HttpApi, problems: &mut Problems) {
    auth.only(&["Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"], problems);
    let declared = auth.get("Authorizers").map_or(&[][..], Node::entries);
    for Entry { key: name, line, value } in declared {
        let reader = Reader::new(value, format!("authorizer {name}"));
        let Some(jwt) = reader.child("JwtConfiguration", problems) else {
            problems.error(*line, format!("authorizer {name} is not a JWT authorizer. Others cannot be run here, and a route without its authorizer would stand open. Write JwtConfiguration with issuer and audience."));
            continue;
        };
        let either = |low: &'static str, high: &'static str| if jwt.get(high).is_some() { high } else { low };
        let issuer = jwt.required(either("issuer", "Issuer"), "Write the token issuer's URL.", problems);
        let audience = jwt.texts(either("audience", "Audience"), problems);
        if audience.is_empty() {
            problems.error(
                *line,
                format!("authorizer {name} has no audience, so any token of the issuer would do. Write `audience: [name]`."),
            );
        }
        let source = reader.text("IdentitySource", problems).unwrap_or("$request.header.Authorization");
        let known = source.starts_with("$request.header.") || source.starts_with("$request.querystring.");
        if !known {
            problems.error(
                reader.line("IdentitySource"),
                format!("authorizer {name}: IdentitySource is $request.header.NAME or $request.querystring.NAME, not {source}."),
            );
        }
        let scopes = reader.texts("AuthorizationScopes", problems);
        api.authorizers.insert(
            name.clone(),
            JwtAuthorizer {
                issuer: issuer.unwrap_or_default().to_owned(),
                audience: audience.into_iter().map(str::to_owned).collect(),
                identity_source: source.to_owned(),
                scopes: scopes.into_iter().map(str::to_owned).collect(),
            },
        );
    }
    api.default_authorizer = auth.text("DefaultAuthorizer", problems).map(str::to_owned);
    if let Some(name) = &api.default_authorizer
        && !declared.iter().any(|e| e.key == *name)
    {
        problems.error(auth.line("DefaultAuthorizer"), no_authorizer(name, declared.iter().map(|e| e.key.as_str())));
    }
}

fn no_authorizer<'a>(name: &str, declared: impl Iterator<Item = &'a str>) -> String {
    if name == "AWS_IAM" {
        return "AWS_IAM signatures cannot be checked here, and a route without its authorizer would stand open. Use a JWT authorizer.".into();
    }
    let hint = nearest(name, declared).map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
    format!(
        "there is no authorizer {name} under Auth Authorizers.{hint} Write it there with JwtConfiguration, or Authorizer: NONE."
    )
}

/// `true` means everything, as in SAM.
fn cors(reader: &Reader<'_>, problems: &mut Problems) -> Option<Cors> {
    let node = reader.get("CorsConfiguration")?;
    if let Some(text) = node.text() {
        let all = || vec!["*".to_owned()];
        return (text == "true").then(|| Cors { origins: all(), methods: all(), headers: all(), ..Cors::default() });
    }
    let cors = reader.child("CorsConfiguration", problems)?;
    cors.only(&["AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders", "AllowCredentials", "MaxAge"], problems);
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let read = Cors {
        origins: owned(cors.texts("AllowOrigins", problems)),
        methods: owned(cors.texts("AllowMethods", problems)),
        headers: owned(cors.texts("AllowHeaders", problems)),
        expose: owned(cors.texts("ExposeHeaders", problems)),
        credentials: cors.flag("AllowCredentials", problems).unwrap_or(false),
        max_age: cors.number("MaxAge", 0..=86_400, problems).map(|n| n as u32),
    };
    if read.credentials && read.origins.iter().any(|o| o == "*") {
        problems.error(
            cors.line("AllowCredentials"),
            format!("{}: AllowCredentials and the origin * exclude each other. Name the origins.", reader.what),
        );
    }
    Some(read)
}

/// Adds one event's route to its API.
pub(super) fn read_event(event: &Event<'_>, scope: &Scope<'_>, application: &mut Application, problems: &mut Problems) {
    let what = format!("route {}", event.id);
    let before = problems.mark();
    Reader::new(event.properties, what.clone()).only(&EVENT, problems);
    let wanted = ["Path", "Method", "Auth", "TimeoutInMillis", "PayloadFormatVersion"];
    let Some(properties) = resolved(event.properties, &wanted, scope, problems) else { return };
    let reader = Reader::new(&properties, what);
    if reader.text("PayloadFormatVersion", problems).is_some_and(|v| v != "2.0") {
        problems.error(
            reader.line("PayloadFormatVersion"),
            format!("{}: only payload format 2.0 is sent from here. Write \"2.0\" or leave it out.", reader.what),
        );
    }
    let (method, path) = method_and_path(&reader, event.line, problems);
    let timeout = reader.number("TimeoutInMillis", 50..=LONGEST_MS, problems).unwrap_or(LONGEST_MS);
    let Some(api) = api_of(event, application, problems) else { return };
    let (authorizer, scopes) = authorization(&reader, api, problems);
    let route = Route {
        method,
        path,
        function: event.function.to_owned(),
        authorizer,
        scopes,
        timeout: Duration::from_millis(timeout as u64),
    };
    if let Some(twin) = api.routes.iter().find(|r| r.method == route.method && shape(&r.path) == shape(&route.path)) {
        problems.error(
            event.line,
            format!(
                "{}: {} {} is already routed to {}. Change the path or the method.",
                reader.what, route.method, route.path, twin.function
            ),
        );
    }
    if problems.mark() == before {
        api.routes.push(route);
    }
}

/// A path with its parameters' names left out: two that differ only there cannot be told apart.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        p if p.starts_with('{') && p.ends_with("+}") => "{+}",
        p if p.starts_with('{') => "{}",
        p => p,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn method_and_path(reader: &Reader<'_>, line: usize, problems: &mut Problems) -> (String, String) {
    let method = reader.text("Method", problems).map(str::to_ascii_uppercase);
    let Some(path) = reader.text("Path", problems) else {
        if method.is_some() {
            problems.error(
                line,
                format!("{} has a Method but no Path. Write both, or neither for the route that takes all else.", reader.what),
            );
        }
        return ("ANY".into(), "$default".into());
    };
    let method = match method.as_deref() {
        None | Some("X-AMAZON-APIGATEWAY-ANY-METHOD") => "ANY".to_owned(),
        Some(method) => method.to_owned(),
    };
    if !METHODS.contains(&method.as_str()) {
        problems.error(reader.line("Method"), format!("{}: Method is one of {}, not {method}.", reader.what, METHODS.join(", ")));
    }
    if let Err(wrong) = check_path(path) {
        problems.error(reader.line("Path"), format!("{}: the path {path} {wrong}", reader.what));
    }
    (method, path.to_owned())
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path == "$default" {
        return Ok(());
    }
    let Some(inner) = path.strip_prefix('/') else { return Err("must begin with /.") };
    let segments: Vec<&str> = inner.split('/').collect();
    let mut names = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        if !segment.contains(['{', '}']) {
            continue;
        }
        let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            return Err("mixes text and a parameter in one segment. Write /{name}/.");
        };
        let greedy = name.ends_with('+');
        let name = name.trim_end_matches('+');
        if name.is_empty() || name.contains(['{', '}']) {
            return Err("has a parameter without a name. Write {name}.");
        }
        if greedy && at + 1 < segments.len() {
            return Err("has something after {name+}, which takes all the rest. Put it last.");
        }
        if names.contains(&name) {
            return Err("names a parameter twice. Give each its own name.");
        }
        names.push(name);
    }
    Ok(())
}

/// The API an event names; the implicit one if none.
fn api_of<'a>(event: &Event<'_>, application: &'a mut Application, problems: &mut Problems) -> Option<&'a mut HttpApi> {
    let id = match event.properties.get("ApiId") {
        None => IMPLICIT_API,
        Some(node) => match (call(node), &node.kind) {
            (Some(entry), _) if entry.key == "Ref" => entry.value.text().unwrap_or(IMPLICIT_API),
            (None, Kind::Scalar(text)) => text,
            _ => {
                problems.error(node.line, format!("route {}: ApiId must name an API of this template: `!Ref Api`.", event.id));
                return None;
            }
        },
    };
    if let Some(at) = application.http_apis.iter().position(|api| api.id == id) {
        return application.http_apis.get_mut(at);
    }
    let known = application.http_apis.iter().map(|api| api.id.as_str());
    let hint = nearest(id, known).map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
    problems.error(event.line, format!("route {}: there is no AWS::Serverless::HttpApi {id}.{hint}", event.id));
    None
}

fn authorization(reader: &Reader<'_>, api: &HttpApi, problems: &mut Problems) -> (Option<String>, Vec<String>) {
    let auth = reader.child("Auth", problems);
    let named = auth.as_ref().and_then(|auth| auth.text("Authorizer", problems));
    let authorizer = match named {
        Some("NONE") => None,
        Some(name) => {
            // A broken declaration has been complained of; only a name nobody wrote is news.
            if !api.authorizers.contains_key(name) {
                problems.error(reader.line("Auth"), no_authorizer(name, api.authorizers.keys().map(String::as_str)));
            }
            Some(name.to_owned())
        }
        None => api.default_authorizer.clone(),
    };
    let own = auth.map(|auth| {
        auth.only(&["Authorizer", "AuthorizationScopes", "InvokeRole", "ApiKeyRequired"], problems);
        auth.texts("AuthorizationScopes", problems)
    });
    let own: Vec<String> = own.unwrap_or_default().into_iter().map(str::to_owned).collect();
    let scopes = match (&authorizer, own.is_empty()) {
        (None, _) => Vec::new(),
        (Some(name), true) => api.authorizers.get(name).map(|a| a.scopes.clone()).unwrap_or_default(),
        (Some(_), false) => own,
    };
    (authorizer, scopes)
}

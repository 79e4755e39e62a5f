//! What is asked over HTTP: HTTP APIs, REST APIs, function URLs; their routes and who may use them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Location;

/// One API, or one function URL. Each listens on a port of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Api {
    /// Logical id; of a function URL the one SAM generates (`GreeterUrl`).
    pub id: String,
    /// Region and account that its events name.
    pub location: Location,
    /// Which service it is: decides the event, the reading of answers and the words of refusals.
    pub kind: ApiKind,
    /// Routes, in template order.
    pub routes: Vec<Route>,
    /// JWT authorizers by name.
    pub authorizers: BTreeMap<String, JwtAuthorizer>,
    /// `DefaultAuthorizer`; already applied to the routes.
    pub default_authorizer: Option<String>,
    /// Stage name; `$default` serves at the root.
    pub stage: String,
    /// `StageVariables`, of a REST API `Variables`.
    pub variables: BTreeMap<String, String>,
    /// `CorsConfiguration` of an HTTP API, `Cors` of a function URL: the service answers preflight requests itself and adds
    /// its own headers. REST APIs have [`RestApi::preflight`] instead.
    pub cors: Option<Cors>,
    /// How many requests its routes take.
    pub throttling: Throttling,
}

/// Limits on the rate of requests: a bucket for each route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Of routes without limits of their own; `None`: no limit.
    pub default: Option<Throttle>,
    /// By [`Route::key`], or `* PATH` for every method of a path.
    pub routes: BTreeMap<String, Throttle>,
}

impl Throttling {
    /// The limit of a route.
    pub fn of(&self, route: &Route) -> Option<Throttle> {
        let own = self
            .routes
            .get(&route.key())
            .or_else(|| self.routes.get(&format!("* {}", route.path)));
        own.copied().or(self.default)
    }
}

/// A token bucket: a request takes a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// `ThrottlingRateLimit`: tokens that come back, thousandths a second.
    pub rate_milli: u64,
    /// `ThrottlingBurstLimit`: tokens at most.
    pub burst: u32,
}

impl Api {
    /// Where its routes begin: under the stage, unless that is `$default`.
    pub fn base_path(&self) -> String {
        if self.stage == "$default" {
            String::new()
        } else {
            format!("/{}", self.stage)
        }
    }
}

/// Which service an [`Api`] stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ApiKind {
    /// `AWS::Serverless::HttpApi`, payload format 2.0.
    #[default]
    Http,
    /// `AWS::Serverless::Api`, payload format 1.0.
    Rest(RestApi),
    /// `FunctionUrlConfig`, payload format 2.0 as URLs send it.
    FunctionUrl,
}

impl ApiKind {
    /// What a user calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http => "HTTP API",
            Self::Rest(_) => "REST API",
            Self::FunctionUrl => "function URL",
        }
    }
}

/// What only REST APIs have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestApi {
    /// `BinaryMediaTypes`, with a plain `/`: bodies of these types travel as base64. `*/*` takes all.
    pub binary_media_types: Vec<String>,
    /// `Cors`: what answers OPTIONS on paths without an OPTIONS route of their own.
    pub preflight: Option<PreflightMock>,
}

/// The OPTIONS method that SAM adds to every path of a REST API with `Cors`. It answers with these headers and nothing is
/// added to the functions' own answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreflightMock {
    /// `Access-Control-Allow-Origin`.
    pub origin: String,
    /// `Access-Control-Allow-Methods`; `None`: those that the path has.
    pub methods: Option<String>,
    /// `Access-Control-Allow-Headers`.
    pub headers: Option<String>,
    /// `Access-Control-Max-Age`, as written.
    pub max_age: Option<String>,
    /// `Access-Control-Allow-Credentials`.
    pub credentials: bool,
}

/// `CorsConfiguration` of an HTTP API. Names are as written; `*` matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// `AllowOrigins`.
    pub origins: Vec<String>,
    /// `AllowMethods`.
    pub methods: Vec<String>,
    /// `AllowHeaders`.
    pub headers: Vec<String>,
    /// `ExposeHeaders`.
    pub expose: Vec<String>,
    /// `AllowCredentials`.
    pub credentials: bool,
    /// `MaxAge`, seconds.
    pub max_age: Option<u32>,
}

/// One route of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, ..., or `ANY`.
    pub method: String,
    /// `/orders/{number}`, `/{proxy+}`, or `$default`.
    pub path: String,
    /// Function's logical id.
    pub function: String,
    /// Authorizer's name, if the route has one.
    pub authorizer: Option<String>,
    /// Scopes of which the token must have at least one, when any are named.
    pub scopes: Vec<String>,
    /// How long the service waits for the function: 30 s at most on an HTTP API, 29 s on a REST API; a function URL waits
    /// as long as the function may run.
    pub timeout: Duration,
}

impl Route {
    /// `GET /orders/{number}`, or `$default`.
    pub fn key(&self) -> String {
        if self.path == "$default" {
            self.path.clone()
        } else {
            format!("{} {}", self.method, self.path)
        }
    }
}

/// A JWT authorizer of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtAuthorizer {
    /// `iss` must equal it.
    pub issuer: String,
    /// `aud` (or `client_id` when there is no `aud`) must be one of these.
    pub audience: Vec<String>,
    /// `$request.header.Authorization` and the like.
    pub identity_source: String,
    /// `AuthorizationScopes` of routes that name none of their own.
    pub scopes: Vec<String>,
}

//! One request from its head to its response.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::header::{ACCEPT, HeaderName, HeaderValue};
use http::request::Parts as Head;
use http::{Method, Request};
use hyper::body::Incoming;
use jiff::Timestamp;

use super::authorizer::{self, Denied, Granted};
use super::failed::{FailedCalls, FailureReason};
use super::key_store::KeyStore;
use super::keys::KeySet;
use super::refusal::ApiRefusal;
use super::router::{RouteMatch, Router};
use super::throttle::Buckets;
use super::{MAX_BODY, answer, check, cors, decode, event, preflight};
use crate::ids::new_id;
use crate::invocation::{self, Invoker, MAX_PAYLOAD, Outcome};
use crate::listener::body::BodyError;
use crate::listener::{ConnectionInfo, Reply};
use sam_template::model::{Api, ApiKind, Route};

/// What all requests to one API share.
pub(super) struct ApiHandler {
    api: Api,
    router: Router,
    keys: Option<Arc<KeyStore>>,
    buckets: Mutex<Buckets>,
    invoker: Invoker,
    failed: FailedCalls,
}

/// How a request is answered.
enum Destination<'s, 'p> {
    /// By a function, under this path.
    Route(&'p str, RouteMatch<'s>),
    /// By the API itself.
    Answered(Reply),
}

impl ApiHandler {
    pub(super) fn new(
        api: Api,
        keys: Option<Arc<KeyStore>>,
        invoker: Invoker,
    ) -> Result<Self, String> {
        check(&api, keys.is_some())?;
        let router = Router::new(&api.routes);
        let buckets = Mutex::new(Buckets::of(&api, Instant::now()));
        Ok(Self {
            api,
            router,
            keys,
            buckets,
            invoker,
            failed: FailedCalls::default(),
        })
    }

    pub(super) async fn handle(
        &self,
        request: Request<Incoming>,
        connection: ConnectionInfo,
    ) -> Reply {
        let request_id = format!("{:032x}", rand::random::<u128>());
        let (head, body) = request.into_parts();
        let mut reply = match &self.api.cors {
            Some(cors) if cors::is_preflight(&head.method, &head.headers) => {
                cors::preflight(cors, &head.headers)
            }
            configured => {
                let answered = self.answer(&head, body, connection, &request_id).await;
                let mut reply = answered.unwrap_or_else(|refusal| refusal.reply(&self.api.kind));
                if let Some(cors) = configured {
                    cors::apply(cors, &head.headers, &mut reply);
                }
                reply
            }
        };
        let header = match self.api.kind {
            ApiKind::Http => "apigw-requestid",
            ApiKind::Rest(_) | ApiKind::FunctionUrl => "x-amzn-requestid",
        };
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            reply
                .headers_mut()
                .insert(HeaderName::from_static(header), value);
        }
        reply
    }

    /// The authorizer decides before the body is read.
    async fn answer(
        &self,
        head: &Head,
        body: Incoming,
        connection: ConnectionInfo,
        request_id: &str,
    ) -> Result<Reply, ApiRefusal> {
        let now = Timestamp::now();
        let started = Instant::now();
        let (path, found) = match self.find(head)? {
            Destination::Route(path, found) => (path, found),
            Destination::Answered(reply) => return Ok(reply),
        };
        let function_request = new_id();
        let refuse = |refusal: ApiRefusal, reason: &FailureReason| {
            self.failed.log(
                started,
                found.route,
                refusal.reply(&self.api.kind).status(),
                &function_request,
                reason,
            );
            refusal
        };
        if !self
            .buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(found.route, started)
        {
            return Err(refuse(
                ApiRefusal::TooMany,
                &FailureReason::new("Throttled", "the route's limit of calls is reached"),
            ));
        }
        let granted = self.authorize(head, found.route, now).await;
        let granted = granted.map_err(|denied| {
            tracing::debug!(
                method = found.route.method,
                path = found.route.path,
                ?denied,
                "the authorizer refused a call"
            );
            ApiRefusal::Denied(denied, found.route.scopes.clone())
        })?;
        let body = connection
            .read_body(body, MAX_BODY)
            .await
            .map_err(|error| match error {
                BodyError::NoRoom => refuse(
                    ApiRefusal::NoRoom,
                    &FailureReason::new("NoCapacity", &error.to_string()),
                ),
                error => ApiRefusal::from(error),
            })?;
        let trace_id = trace_id(head, now);
        let payload = event::build(&event::EventSource {
            api: &self.api,
            method: head.method.as_str(),
            path,
            query: head.uri.query().unwrap_or(""),
            protocol: if head.version == http::Version::HTTP_10 {
                "HTTP/1.0"
            } else {
                "HTTP/1.1"
            },
            headers: &head.headers,
            body: &body,
            source_ip: &connection.client.ip().to_canonical().to_string(),
            port: connection.server.port(),
            route_method: &found.route.method,
            route_path: &found.route.path,
            path_parameters: &found.parameters,
            granted: granted.as_ref(),
            request_id,
            trace_id: &trace_id,
            now,
        });
        let payload = payload.map_err(|error| {
            refuse(
                ApiRefusal::Internal,
                &FailureReason::new(
                    "HostFault",
                    &format!("the event cannot be written: {error}"),
                ),
            )
        })?;
        if payload.len() > MAX_PAYLOAD {
            return Err(ApiRefusal::TooLarge);
        }
        let accept = head
            .headers
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let request = invocation::Request {
            trace_id: Some(trace_id),
            request_id: Some(function_request.clone()),
            ..invocation::Request::new(found.route.function.clone(), payload)
        };
        let reply = self
            .invoke(found.route, request, accept)
            .await
            .map_err(|(refusal, reason)| refuse(refusal, &reason))?;
        if reply.status().is_server_error() {
            self.failed.log(
                started,
                found.route,
                reply.status(),
                &function_request,
                &FailureReason::answered(),
            );
        }
        Ok(reply)
    }

    /// Finds the route, and the path as the event has it.
    fn find<'s, 'p>(&'s self, head: &'p Head) -> Result<Destination<'s, 'p>, ApiRefusal> {
        let method = head.method.as_str();
        let path = head.uri.path();
        let ApiKind::Rest(rest) = &self.api.kind else {
            let inner = if self.api.stage == "$default" {
                Some(path)
            } else {
                self.below_stage(path)
            };
            let found = inner
                .and_then(|inner| self.router.find(method, inner))
                .ok_or(ApiRefusal::NoRoute)?;
            return Ok(Destination::Route(path, found));
        };
        // the path has the stage in the cloud, and not with `sam local`: both are accepted
        let inner = self.below_stage(path).unwrap_or(path);
        let resource = self.router.resource(inner).ok_or(ApiRefusal::NoRoute)?;
        let methods = resource.methods();
        if head.method == Method::OPTIONS
            && let Some(mock) = rest
                .preflight
                .as_ref()
                .filter(|_| !methods.contains(&"OPTIONS"))
        {
            return Ok(Destination::Answered(preflight::answer(mock, &methods)));
        }
        resource
            .into_match(method)
            .map(|found| Destination::Route(inner, found))
            .ok_or(ApiRefusal::NoRoute)
    }

    /// The path without the stage that it begins with.
    fn below_stage<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path
            .strip_prefix('/')?
            .strip_prefix(self.api.stage.as_str())?;
        match rest {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    /// Checks a token; one with an unknown key again, after a refresh of the keys.
    async fn authorize(
        &self,
        head: &Head,
        route: &Route,
        now: Timestamp,
    ) -> Result<Option<Granted>, Denied> {
        let Some(name) = &route.authorizer else {
            return Ok(None);
        };
        // `check` requires keys at the start; an authorizer without a declaration denies every
        // request
        let (Some(authorizer), Some(keys)) = (self.api.authorizers.get(name), &self.keys) else {
            return Err(Denied::Missing);
        };
        let token = token_of(head, &authorizer.identity_source)?;
        let check = |keys: &KeySet| {
            authorizer::check(
                token.as_deref(),
                authorizer,
                &route.scopes,
                keys,
                now.as_second(),
            )
        };
        let mut checked = check(&keys.current());
        if checked == Err(authorizer::UNKNOWN_KEY) {
            keys.refresh_for_unknown_key().await;
            checked = check(&keys.current());
        }
        checked.map(Some)
    }

    /// The invocation continues when the client disconnects or the route's timeout is over, as on
    /// Lambda. A failure comes with its reason for the log.
    async fn invoke(
        &self,
        route: &Route,
        request: invocation::Request,
        accept: &str,
    ) -> Result<Reply, (ApiRefusal, FailureReason)> {
        let invoker = Arc::clone(&self.invoker);
        let running = tokio::spawn(async move { invoker.invoke(request, false).await });
        let response = match tokio::time::timeout(route.timeout, running).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(rejected))) => {
                return Err((
                    ApiRefusal::from(&rejected),
                    FailureReason::rejected(&rejected),
                ));
            }
            Ok(Err(panicked)) => {
                return Err((
                    ApiRefusal::Internal,
                    FailureReason::new("HostFault", &panicked.to_string()),
                ));
            }
            Err(_) => {
                let why = format!(
                    "no answer within the route's {} s; the function continues",
                    route.timeout.as_secs_f64()
                );
                return Err((
                    ApiRefusal::TooSlow,
                    FailureReason::new("RouteTimeout", &why),
                ));
            }
        };
        match response.outcome {
            Outcome::Error(error) | Outcome::Interrupted(error) => Err((
                ApiRefusal::FunctionFailed,
                FailureReason::new(&error.error_type, &error.message),
            )),
            Outcome::Answer(bytes) => {
                answer::decode(&bytes, &self.api.kind, accept).map_err(|wrong| {
                    let why = format!("the answer cannot be sent as a response: {wrong}");
                    (ApiRefusal::BadAnswer, FailureReason::new("BadAnswer", &why))
                })
            }
        }
    }
}

/// The token of a request. Several are rejected: another reader could take another one.
fn token_of(head: &Head, source: &str) -> Result<Option<String>, Denied> {
    let mut found: Vec<String> = if let Some(wanted) = source.strip_prefix("$request.querystring.")
    {
        let query = decode::query(head.uri.query().unwrap_or(""));
        query
            .into_iter()
            .filter(|(name, _)| name == wanted)
            .map(|(_, value)| value)
            .collect()
    } else {
        let name = source
            .strip_prefix("$request.header.")
            .unwrap_or("authorization");
        let values = head.headers.get_all(name).iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    };
    let token = found.pop();
    if found.is_empty() {
        Ok(token)
    } else {
        Err(Denied::Invalid("the request brings more than one token"))
    }
}

impl From<BodyError> for ApiRefusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::Timeout => Self::SlowRequest,
            BodyError::Broken(_) => Self::BadRequest,
            BodyError::NoRoom => Self::NoRoom,
        }
    }
}

/// The caller's trace id, or a new one.
fn trace_id(head: &Head, now: Timestamp) -> String {
    let given = head
        .headers
        .get("x-amzn-trace-id")
        .and_then(|value| value.to_str().ok());
    given.map_or_else(
        || {
            format!(
                "Root=1-{:08x}-{:024x}",
                now.as_second(),
                rand::random::<u128>() >> 32
            )
        },
        str::to_owned,
    )
}

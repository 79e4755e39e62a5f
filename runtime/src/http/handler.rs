//! One request from its head to its response.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::request::Parts as Head;
use http::{Method, Request};
use hyper::body::Incoming;
use jiff::Timestamp;

use super::authorizer::{self, Denied, Granted};
use super::failed::{FailedCalls, FailureReason, RefusedCall};
use super::invalid_token::InvalidToken;
use super::key_store::KeyStore;
use super::keys::KeySet;
use super::refusal::ApiRefusal;
use super::router::{RouteMatch, Router};
use super::throttle::Buckets;
use super::{MAX_BODY, UnguardedRoute, answer, check, cors, decode, event, preflight};
use crate::ids::{new_hex_id, new_id};
use crate::instances::{HttpCall, HttpLog};
use crate::invocation::{self, Invoker, MAX_PAYLOAD, Outcome, Trigger};
use crate::listener::{ConnectionInfo, Reply, header_text, set_header};
use crate::lock::lock;
use crate::observation::shortened;
use crate::run_to_end::RunToEnd;
use sam_template::model::{Api, ApiKind, Route};

/// What all requests to one API share.
pub(super) struct ApiHandler {
    api: Api,
    router: Router,
    keys: Option<Arc<KeyStore>>,
    buckets: Mutex<Buckets>,
    invoker: Invoker,
    failed: FailedCalls,
    log: HttpLog,
}

/// Characters of a method and of a path in the log at most.
const MAX_METHOD: usize = 40;
const MAX_PATH: usize = 500;

/// What a request has reached, for the log.
#[derive(Default)]
struct Reached {
    function: Option<String>,
    /// Request id of the invocation.
    request_id: Option<String>,
    error: Option<String>,
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
        log: HttpLog,
    ) -> Result<Self, UnguardedRoute> {
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
            log,
        })
    }

    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: ConnectionInfo,
    ) -> Reply {
        let started = Instant::now();
        let request_id = new_hex_id();
        let (head, body) = request.into_parts();
        let mut reached = Reached::default();
        let mut reply = match &self.api.cors {
            Some(cors) if cors::is_preflight(&head.method, &head.headers) => {
                cors::preflight(cors, &head.headers)
            }
            configured => {
                let answered = self
                    .answer(&head, body, connection, &request_id, &mut reached)
                    .await;
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
        set_header(&mut reply, header, &request_id);
        let call = HttpCall {
            method: shortened(head.method.as_str(), MAX_METHOD),
            path: shortened(head.uri.path(), MAX_PATH),
            status: reply.status().as_u16(),
            duration: started.elapsed(),
            function: reached.function,
            error: reached.error,
        };
        let id = reached.request_id.as_ref().unwrap_or(&request_id);
        self.log.write(id, call);
        reply
    }

    /// Answers a request, and logs a call that failed.
    async fn answer(
        &self,
        head: &Head,
        body: Incoming,
        connection: ConnectionInfo,
        request_id: &str,
        reached: &mut Reached,
    ) -> Result<Reply, ApiRefusal> {
        let now = Timestamp::now();
        let started = Instant::now();
        let (path, found) = match self.find(head)? {
            Destination::Route(path, found) => (path, found),
            Destination::Answered(reply) => return Ok(reply),
        };
        let route = found.route;
        let function_request = new_id();
        reached.function = Some(route.function.clone());
        reached.request_id = Some(function_request.clone());
        let call = async {
            self.throttle(route, started)?;
            // the authorizer decides before the body is read
            let granted = self.authorize(head, route, now).await.map_err(|denied| {
                tracing::debug!(
                    method = route.method,
                    path = route.path,
                    ?denied,
                    "the authorizer refused a call"
                );
                ApiRefusal::Denied(denied, route.scopes.clone())
            })?;
            let body = connection.read_body(body, MAX_BODY).await?;
            let trace_id = trace_id(head, now);
            let payload = event::build(&event::EventParts {
                api: &self.api,
                head,
                connection: &connection,
                path,
                found: &found,
                body: &body,
                granted: granted.as_ref(),
                request_id,
                trace_id: &trace_id,
                now,
            });
            let payload = payload.map_err(|error| {
                let why = format!("the event cannot be written: {error}");
                RefusedCall::new(ApiRefusal::Internal, "HostFault", &why)
            })?;
            if payload.len() > MAX_PAYLOAD {
                return Err(ApiRefusal::TooLarge.into());
            }
            let request = invocation::Request {
                trigger: Trigger::Http,
                trace_id: Some(trace_id),
                request_id: Some(function_request.clone()),
                ..invocation::Request::new(route.function.clone(), payload)
            };
            let accept = header_text(&head.headers, "accept").unwrap_or("");
            self.invoke(route, request, accept).await
        };
        let answered = call.await;
        let log = |status, reason: &FailureReason| {
            if self.log.shows_failures() {
                return;
            }
            self.failed
                .log(started, route, status, &function_request, reason);
        };
        match &answered {
            Ok(reply) if reply.status().is_server_error() => {
                let why = "the function answered with this status";
                log(reply.status(), &FailureReason::new("none", why));
            }
            Err(RefusedCall {
                refusal,
                reason: Some(reason),
            }) => {
                reached.error = Some(reason.to_string());
                log(refusal.reply(&self.api.kind).status(), reason);
            }
            Ok(_) | Err(_) => {}
        }
        answered.map_err(|failure| failure.refusal)
    }

    /// Refuses a call beyond the rate limit of its route.
    fn throttle(&self, route: &Route, now: Instant) -> Result<(), RefusedCall> {
        let mut buckets = lock(&self.buckets);
        if buckets.take(route, now) {
            return Ok(());
        }
        let why = "the route's limit of calls is reached";
        Err(RefusedCall::new(ApiRefusal::TooMany, "Throttled", why))
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
        let answers_options = head.method == Method::OPTIONS && !methods.contains(&"OPTIONS");
        if let Some(mock) = rest.preflight.as_ref().filter(|_| answers_options) {
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
        if checked == Err(Denied::Invalid(InvalidToken::UnknownKey)) {
            keys.refresh_for_unknown_key().await;
            checked = check(&keys.current());
        }
        checked.map(Some)
    }

    /// The invocation continues when the client disconnects or the route's timeout is over, as on
    /// Lambda.
    async fn invoke(
        &self,
        route: &Route,
        request: invocation::Request,
        accept: &str,
    ) -> Result<Reply, RefusedCall> {
        let invoker = Arc::clone(&self.invoker);
        let running = RunToEnd::new(async move { invoker.invoke(request, false).await });
        let response = tokio::time::timeout(route.timeout, running)
            .await
            .map_err(|_| {
                let limit = route.timeout.as_secs_f64();
                let why = format!("no answer within the route's {limit} s; the function continues");
                RefusedCall::new(ApiRefusal::TooSlow, "RouteTimeout", &why)
            })?
            .map_err(|panicked| {
                RefusedCall::new(ApiRefusal::Internal, "HostFault", &panicked.to_string())
            })??;
        match response.outcome {
            Outcome::Error(error) | Outcome::Interrupted(error) => Err(RefusedCall::new(
                ApiRefusal::FunctionFailed,
                &error.error_type,
                &error.message,
            )),
            Outcome::Answer(bytes) => {
                answer::decode(&bytes, &self.api.kind, accept).map_err(|wrong| {
                    let why = format!("the answer cannot be sent as a response: {wrong}");
                    RefusedCall::new(ApiRefusal::BadAnswer, "BadAnswer", &why)
                })
            }
        }
    }
}

/// The token of a request. Several are rejected: another reader could take another one.
fn token_of(head: &Head, source: &str) -> Result<Option<String>, Denied> {
    let mut found: Vec<String> = if let Some(wanted) = source.strip_prefix("$request.querystring.")
    {
        let query = decode::query(head.uri.query().unwrap_or("")).into_iter();
        let values = query.filter(|(name, _)| name == wanted);
        values.map(|(_, value)| value).collect()
    } else {
        let header = source.strip_prefix("$request.header.");
        let values = head.headers.get_all(header.unwrap_or("authorization"));
        let values = values.iter().map(event::text);
        values.map(Cow::into_owned).collect()
    };
    let token = found.pop();
    if found.is_empty() {
        Ok(token)
    } else {
        Err(Denied::Invalid(InvalidToken::Several))
    }
}

/// The caller's trace id, or a new one.
fn trace_id(head: &Head, now: Timestamp) -> String {
    let new = || {
        let random = hex::encode(rand::random::<[u8; 12]>());
        format!("Root=1-{:08x}-{random}", now.as_second())
    };
    header_text(&head.headers, "x-amzn-trace-id").map_or_else(new, str::to_owned)
}

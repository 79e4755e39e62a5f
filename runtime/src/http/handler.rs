//! One request from its head to its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts as Head;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;

use super::authorizer::{self, Denied, Granted};
use super::keys::KeySet;
use super::refusal::{self, Reply};
use super::router::{Found, Router};
use super::{MAX_BODY, answer, check, cors, decode, event};
use crate::invocation::{self, Invoker, MAX_PAYLOAD, Outcome};
use crate::model::{HttpApi, Route};

/// A body must have come by then.
const BODY_TIME: Duration = Duration::from_secs(30);

/// What all requests to one API share.
pub(super) struct Handler {
    api: HttpApi,
    router: Router,
    keys: Option<Arc<KeySet>>,
    invoker: Invoker,
}

/// Between whom a connection is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peers {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

impl Handler {
    pub(super) fn new(api: HttpApi, keys: Option<Arc<KeySet>>, invoker: Invoker) -> Result<Self, String> {
        check(&api, keys.as_deref())?;
        let router = Router::new(&api.routes);
        Ok(Self { api, router, keys, invoker })
    }

    /// Answers a request; there is always an answer.
    pub(super) async fn handle(&self, request: Request<Incoming>, peers: Peers) -> Reply {
        let request_id = format!("{:032x}", rand::random::<u128>());
        let (head, body) = request.into_parts();
        let mut reply = match &self.api.cors {
            Some(cors) if cors::is_preflight(&head.method, &head.headers) => cors::preflight(cors, &head.headers),
            configured => {
                let mut reply = self.route(&head, body, peers, &request_id).await.unwrap_or_else(|refused| refused);
                if let Some(cors) = configured {
                    cors::apply(cors, &head.headers, &mut reply);
                }
                reply
            }
        };
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            reply.headers_mut().insert(HeaderName::from_static("apigw-requestid"), value);
        }
        reply
    }

    /// The authorizer speaks before a byte of the body is read.
    async fn route(&self, head: &Head, body: Incoming, peers: Peers, request_id: &str) -> Result<Reply, Reply> {
        let now = Timestamp::now();
        let path = self.without_stage(head.uri.path()).ok_or_else(refusal::not_found)?;
        let found = self.router.find(head.method.as_str(), path).ok_or_else(refusal::not_found)?;
        let granted = self.authorize(head, found.route, now).map_err(|denied| refusal::denied(denied, &found.route.scopes))?;
        let body = read(body).await?;
        let trace_id = trace_id(head, now);
        let payload = self.event(head, &body, peers, &found, granted.as_ref(), request_id, &trace_id, now)?;
        self.invoke(found.route, payload, trace_id).await
    }

    /// Stages other than `$default` stand first in the path.
    fn without_stage<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.api.stage == "$default" {
            return Some(path);
        }
        let rest = path.strip_prefix('/')?.strip_prefix(self.api.stage.as_str())?;
        match rest {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    fn authorize(&self, head: &Head, route: &Route, now: Timestamp) -> Result<Option<Granted>, Denied> {
        let Some(name) = &route.authorizer else { return Ok(None) };
        // `check` has seen to the keys at the start; a name without a declaration must still never let anyone in.
        let (Some(authorizer), Some(keys)) = (self.api.authorizers.get(name), &self.keys) else { return Err(Denied::Missing) };
        let query;
        let token = if let Some(wanted) = authorizer.identity_source.strip_prefix("$request.querystring.") {
            query = decode::query(head.uri.query().unwrap_or(""));
            query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        } else {
            let name = authorizer.identity_source.strip_prefix("$request.header.").unwrap_or("authorization");
            head.headers.get(name).and_then(|value| value.to_str().ok())
        };
        authorizer::check(token, authorizer, &route.scopes, keys, now.as_second()).map(Some)
    }

    #[expect(clippy::too_many_arguments, reason = "the event is made of all of these")]
    #[expect(clippy::result_large_err, reason = "a refusal is a reply like any other, and is made once a request")]
    fn event(
        &self,
        head: &Head,
        body: &[u8],
        peers: Peers,
        found: &Found<'_>,
        granted: Option<&Granted>,
        request_id: &str,
        trace_id: &str,
        now: Timestamp,
    ) -> Result<Bytes, Reply> {
        let route_key = match found.route.path.as_str() {
            "$default" => "$default".to_owned(),
            path => format!("{} {path}", found.route.method),
        };
        let payload = event::build(&event::Parts {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or(""),
            protocol: if head.version == http::Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            headers: &head.headers,
            body,
            source_ip: &peers.client.ip().to_canonical().to_string(),
            port: peers.server.port(),
            api: &self.api.id,
            stage: &self.api.stage,
            route_key: &route_key,
            path_parameters: &found.parameters,
            granted,
            request_id,
            trace_id,
            now,
        });
        match payload {
            Ok(payload) if payload.len() <= MAX_PAYLOAD => Ok(payload),
            Ok(_) => Err(refusal::too_large()),
            Err(error) => {
                tracing::error!(%error, "an event could not be written");
                Err(refusal::internal())
            }
        }
    }

    /// The invocation runs on when the client goes away or the route's time is over, as on Lambda.
    async fn invoke(&self, route: &Route, payload: Bytes, trace_id: String) -> Result<Reply, Reply> {
        let invoker = Arc::clone(&self.invoker);
        let request =
            invocation::Request { trace_id: Some(trace_id), ..invocation::Request::new(route.function.clone(), payload) };
        let running = tokio::spawn(async move { invoker.invoke(request, false).await });
        let function = &route.function;
        let response = match tokio::time::timeout(route.timeout, running).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(rejected))) => {
                tracing::warn!(function, %rejected, "a request was turned away");
                return Err(refusal::rejected(&rejected));
            }
            Ok(Err(panicked)) => {
                tracing::error!(function, %panicked, "an invocation broke off");
                return Err(refusal::internal());
            }
            Err(_) => {
                tracing::warn!(function, seconds = route.timeout.as_secs_f64(), "no answer within the route's time");
                return Err(refusal::unavailable());
            }
        };
        match response.outcome {
            Outcome::Error(_) => Err(refusal::internal()),
            Outcome::Answer(bytes) => answer::decode(&bytes).map_err(|wrong| {
                tracing::warn!(function, request_id = response.request_id, wrong, "the answer cannot be sent as a response");
                refusal::internal()
            }),
        }
    }
}

/// The whole body, bounded in size and in time.
async fn read(body: Incoming) -> Result<Bytes, Reply> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refusal::too_large()),
        Ok(Err(_)) => Err(refusal::message(StatusCode::BAD_REQUEST, "Bad Request")),
        Err(_) => Err(refusal::message(StatusCode::REQUEST_TIMEOUT, "Request Timeout")),
    }
}

/// The caller's trace goes on; without one a new trace begins.
fn trace_id(head: &Head, now: Timestamp) -> String {
    let given = head.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok());
    given.map_or_else(|| format!("Root=1-{:08x}-{:024x}", now.as_second(), rand::random::<u128>() >> 32), str::to_owned)
}

//! Facts about the caller, recorded as the request arrives.

use std::net::IpAddr;
use std::time::Instant;

use shared::api_calls::ApiCall;
use shared::message::{CallClient, CallId, CallInstance, CallMethod, CallRoute, CallUrl, TraceId};
use shared::telemetry::TraceContext;

use crate::http::{Call, HttpEvent, Route};

/// Route of requests to an unknown path.
const NO_ROUTE: &str = "/*";

/// The caller of one request.
#[derive(Debug, Clone)]
pub struct Caller {
    began: Instant,
    at_ms: u64,
    ip: Option<IpAddr>,
    client: CallClient,
    query: Option<String>,
}

impl Caller {
    /// Reads a request that arrives now, at `at_ms` (milliseconds since 1970). Address and client
    /// come from the gateway, not from headers.
    pub fn read(event: &HttpEvent, at_ms: u64) -> Self {
        let query = Some(&event.raw_query).filter(|query| !query.is_empty());
        Self {
            began: Instant::now(),
            at_ms,
            ip: event.call.source_ip,
            client: CallClient::of_user_agent(event.user_agent.as_deref()),
            query: query.cloned(),
        }
    }

    /// The call with its answer.
    pub fn answered(&self, call: &Call, status: u16, instance: CallInstance) -> ApiCall {
        let route =
            Route::find(&call.method, &call.path).map_or(NO_ROUTE, |(_, template)| template);
        let url = match &self.query {
            Some(query) => CallUrl::fit(&format!("{}?{query}", call.path)),
            None => CallUrl::fit(&call.path),
        };
        let trace = call
            .trace()
            .and_then(|trace| trace.parse::<TraceContext>().ok());
        ApiCall {
            v: 1,
            id: CallId::new(rand::random()),
            at_ms: self.at_ms.min(ApiCall::MAX_AT_MS as u64) as i64,
            method: CallMethod::new(call.method.as_str())
                .or_else(|_| CallMethod::new("OTHER"))
                .unwrap_or_else(|_| unreachable!("upper-case ASCII")),
            route: CallRoute::new(route)
                .unwrap_or_else(|_| unreachable!("templates are visible ASCII")),
            url,
            status,
            duration_us: (self.began.elapsed().as_micros() as u64).min(ApiCall::MAX_DURATION_US),
            client: self.client.clone(),
            user: call.claims.user().ok(),
            ip: self.ip,
            trace: trace.and_then(|trace| trace.trace_id().parse::<TraceId>().ok()),
            instance,
        }
    }
}

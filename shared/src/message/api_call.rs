//! `ApiCall`: somebody called the API and was answered.

use core::net::IpAddr; // the address alone: core knows no sockets

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{
    BadValue, CallClient, CallId, CallInstance, CallMethod, CallRoute, CallUrl, TraceId, UserId,
};

/// Sent by storefront to `{env}-api-call`, without a key. Schema version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Wire")]
#[schemars(!try_from)]
pub struct ApiCall {
    /// Schema version: 1.
    #[schemars(range(min = 1, max = 1))]
    pub v: u16,
    /// Identity of the call.
    pub id: CallId,
    /// When it arrived, milliseconds since 1970 by the clock of whoever answered.
    #[schemars(range(min = 0, max = 253_402_300_799_999_i64))]
    pub at_ms: i64,
    /// HTTP method.
    pub method: CallMethod,
    /// Its route as a template, `/*` where it has none.
    pub route: CallRoute,
    /// Path and query as they were asked for.
    pub url: CallUrl,
    /// HTTP status of the answer.
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// How long the answer took, microseconds, at most an hour.
    #[schemars(range(min = 0, max = 3_600_000_000_u64))]
    pub duration_us: u64,
    /// Kind of client.
    pub client: CallClient,
    /// Who called, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Address the call came from, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Trace that the call belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceId>,
    /// Process that answered.
    pub instance: CallInstance,
}

/// Why a decoded call is not a valid one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCall {
    /// A version this program does not know.
    #[error("version {0} is not known; this program reads version 1")]
    Version(u16),
    /// Before 1970 or after 9999.
    #[error("at_ms must be 0 to {}", ApiCall::MAX_AT_MS)]
    At,
    /// Not a status of HTTP.
    #[error("status must be 100 to 599")]
    Status,
    /// Longer than an hour.
    #[error("duration_us must be 0 to {}", ApiCall::MAX_DURATION_US)]
    Duration,
    /// A single value out of bounds.
    #[error(transparent)]
    Value(#[from] BadValue),
}

impl ApiCall {
    /// Latest time: the end of the year 9999.
    pub const MAX_AT_MS: i64 = 253_402_300_799_999;
    /// Longest duration: an hour.
    pub const MAX_DURATION_US: u64 = 3_600_000_000;

    /// Checks the numbers. Decoding calls it; so must whoever builds one by hand.
    pub fn check(&self) -> Result<(), InvalidCall> {
        if self.v != 1 {
            return Err(InvalidCall::Version(self.v));
        }
        if !(0..=Self::MAX_AT_MS).contains(&self.at_ms) {
            return Err(InvalidCall::At);
        }
        if !(100..=599).contains(&self.status) {
            return Err(InvalidCall::Status);
        }
        if self.duration_us > Self::MAX_DURATION_US {
            return Err(InvalidCall::Duration);
        }
        Ok(())
    }

    /// Method and route together, as gateways name routes: `GET /orders/{number}`.
    pub fn route_key(&self) -> String {
        format!("{} {}", self.method, self.route)
    }
}

/// The same fields before they are checked.
#[derive(Deserialize)]
struct Wire {
    v: u16,
    id: CallId,
    at_ms: i64,
    method: CallMethod,
    route: CallRoute,
    url: CallUrl,
    status: u16,
    duration_us: u64,
    client: CallClient,
    #[serde(default)]
    user: Option<UserId>,
    #[serde(default)]
    ip: Option<IpAddr>,
    #[serde(default)]
    trace: Option<TraceId>,
    instance: CallInstance,
}

impl TryFrom<Wire> for ApiCall {
    type Error = InvalidCall;

    fn try_from(w: Wire) -> Result<Self, InvalidCall> {
        let Wire {
            v,
            id,
            at_ms,
            method,
            route,
            url,
            status,
            duration_us,
            client,
            user,
            ip,
            trace,
            instance,
        } = w;
        let call = Self {
            v,
            id,
            at_ms,
            method,
            route,
            url,
            status,
            duration_us,
            client,
            user,
            ip,
            trace,
            instance,
        };
        call.check()?;
        Ok(call)
    }
}

#[cfg(test)]
#[path = "api_call_tests.rs"]
mod tests;

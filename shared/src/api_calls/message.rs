//! The message about one answered API request.

use core::net::IpAddr; // core has addresses, and no sockets

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::{
    BadValue, CallClient, CallId, CallInstance, CallMethod, CallRoute, CallUrl, TraceId, UserId,
    checked_json,
};

/// Sent by storefront to `{env}-api-call`, without a key. Schema version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(remote = "Self")]
#[cfg_attr(test, schemars(!remote))]
pub struct ApiCall {
    /// Schema version: 1.
    #[cfg_attr(test, schemars(range(min = 1, max = 1)))]
    pub v: u16,
    /// Identity of the call.
    pub id: CallId,
    /// When it arrived, milliseconds since 1970 by the clock of the answering process.
    #[cfg_attr(test, schemars(range(min = 0, max = 253_402_300_799_999_i64)))]
    pub at_ms: i64,
    /// HTTP method.
    pub method: CallMethod,
    /// Its route as a template; `/*` without one.
    pub route: CallRoute,
    /// Path and query of the request.
    pub url: CallUrl,
    /// HTTP status of the response.
    #[cfg_attr(test, schemars(range(min = 100, max = 599)))]
    pub status: u16,
    /// Time to the response, microseconds, at most an hour.
    #[cfg_attr(test, schemars(range(min = 0, max = 3_600_000_000_u64)))]
    pub duration_us: u64,
    /// Kind of client.
    pub client: CallClient,
    /// The caller, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Address of the caller, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceId>,
    /// Process that answered.
    pub instance: CallInstance,
}

/// Why a decoded call is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCall {
    /// A version that this program cannot read.
    #[error("version {0} is not supported; this program reads version 1")]
    Version(u16),
    /// Before 1970 or after 9999.
    #[error("at_ms must be 0 to {}", ApiCall::MAX_AT_MS)]
    At,
    /// Not an HTTP status.
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

    /// Checks the numbers. Decoding calls it; code that builds a call must call it as well.
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

checked_json!(ApiCall);

//! The event that a function receives: [`v2`] for HTTP APIs and function URLs, [`v1`] for REST
//! APIs.

mod v1;
mod v2;

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts as Head;
use jiff::Timestamp;

use super::authorizer::Granted;
use super::media;
use super::router::RouteMatch;
use crate::listener::{ConnectionInfo, without_port};
use sam_template::model::{Api, ApiKind};

/// What an event is built from.
pub(super) struct EventParts<'r> {
    pub(super) api: &'r Api,
    pub(super) head: &'r Head,
    pub(super) connection: &'r ConnectionInfo,
    /// Percent-encoded, as received; on an HTTP API with the stage in front, elsewhere without.
    pub(super) path: &'r str,
    pub(super) found: &'r RouteMatch<'r>,
    pub(super) body: &'r [u8],
    pub(super) granted: Option<&'r Granted>,
    pub(super) request_id: &'r str,
    pub(super) trace_id: &'r str,
    pub(super) now: Timestamp,
}

impl EventParts<'_> {
    /// The first header of this name; empty without one.
    fn header(&self, name: impl http::header::AsHeaderName) -> Cow<'_, str> {
        self.head.headers.get(name).map(text).unwrap_or_default()
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }

    fn protocol(&self) -> &'static str {
        if self.head.version == http::Version::HTTP_10 {
            "HTTP/1.0"
        } else {
            "HTTP/1.1"
        }
    }

    fn source_ip(&self) -> String {
        self.connection.client.ip().to_canonical().to_string()
    }

    /// The host of the request, without a port.
    fn domain(&self) -> String {
        without_port(&self.header(HOST)).to_owned()
    }

    /// `24/Nov/2026:12:00:00 +0000`
    fn time(&self) -> String {
        self.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
    }
}

/// The event as JSON.
pub(super) fn build(parts: &EventParts<'_>) -> serde_json::Result<Bytes> {
    let event = match &parts.api.kind {
        ApiKind::Http | ApiKind::FunctionUrl => v2::build(parts),
        ApiKind::Rest(rest) => {
            let content_type = parts.header(CONTENT_TYPE);
            v1::build(
                parts,
                media::is_binary(&rest.binary_media_types, &content_type),
            )
        }
    };
    event.map(Bytes::from)
}

/// Headers that the services add, in place of what the client sent under these names.
const ADDED: [&str; 4] = [
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-amzn-trace-id",
];

/// Every header in the order received, and those that the services add. Names are in lower case.
fn forwarded<'r>(parts: &'r EventParts<'r>) -> impl Iterator<Item = (&'r str, Cow<'r, str>)> {
    let source_ip = parts.source_ip();
    let chain = match parts.header("x-forwarded-for") {
        before if before.is_empty() => source_ip,
        before => format!("{before}, {source_ip}"),
    };
    let port = parts.connection.server.port().to_string();
    let values = [
        chain.into(),
        port.into(),
        "http".into(),
        parts.trace_id.into(),
    ];
    let headers = parts.head.headers.iter();
    let received = headers.map(|(name, value)| (name.as_str(), text(value)));
    received
        .filter(|(name, _)| !ADDED.contains(name))
        .chain(ADDED.into_iter().zip(values))
}

/// Bytes that are not UTF-8 become U+FFFD, as everywhere in the event: a received header is never
/// treated as absent.
pub(super) fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// A map without entries is an absent value.
fn present<V>(map: &BTreeMap<String, V>) -> Option<&BTreeMap<String, V>> {
    Some(map).filter(|map| !map.is_empty())
}

fn base64(body: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(body)
}

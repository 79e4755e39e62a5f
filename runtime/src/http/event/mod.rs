//! The event that a function receives: [`v2`] for HTTP APIs and function URLs, [`v1`] for REST
//! APIs.

mod v1;
mod v2;

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue};
use jiff::Timestamp;

use super::authorizer::Granted;
use super::media;
use sam_template::model::{Api, ApiKind};

/// What an event is built from.
pub(super) struct EventSource<'r> {
    pub(super) api: &'r Api,
    pub(super) method: &'r str,
    /// Percent-encoded, as received; on an HTTP API with the stage in front, elsewhere without.
    pub(super) path: &'r str,
    pub(super) query: &'r str,
    pub(super) protocol: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: &'r [u8],
    pub(super) source_ip: &'r str,
    pub(super) port: u16,
    /// Method as the template writes it, or `ANY`.
    pub(super) route_method: &'r str,
    /// `/orders/{number}`, or `$default`.
    pub(super) route_path: &'r str,
    pub(super) path_parameters: &'r BTreeMap<String, String>,
    pub(super) granted: Option<&'r Granted>,
    pub(super) request_id: &'r str,
    pub(super) trace_id: &'r str,
    pub(super) now: Timestamp,
}

impl EventSource<'_> {
    /// The first header of this name; empty without one. Bytes that are not UTF-8 become U+FFFD, as
    /// everywhere in the event: a received header is never treated as absent.
    fn header(&self, name: impl http::header::AsHeaderName) -> Cow<'_, str> {
        self.headers
            .get(name)
            .map_or(Cow::Borrowed(""), |value: &HeaderValue| {
                String::from_utf8_lossy(value.as_bytes())
            })
    }

    /// The host of the request, without a port.
    fn domain(&self) -> String {
        let host = self.header(HOST);
        let name = host
            .rsplit_once(':')
            .filter(|(_, port)| port.parse::<u16>().is_ok())
            .map(|(name, _)| name.to_owned());
        name.unwrap_or_else(|| host.into_owned())
    }

    /// `24/Nov/2026:12:00:00 +0000`
    fn time(&self) -> String {
        self.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
    }
}

/// The event as JSON.
pub(super) fn build(parts: &EventSource<'_>) -> Result<Bytes, serde_json::Error> {
    match &parts.api.kind {
        ApiKind::Http | ApiKind::FunctionUrl => v2::build(parts),
        ApiKind::Rest(rest) => v1::build(
            parts,
            media::is_binary(
                &rest.binary_media_types,
                &parts.header(http::header::CONTENT_TYPE),
            ),
        ),
    }
}

/// Every header in the order received, and those that the services add. Names are in lower case.
fn forwarded(parts: &EventSource<'_>) -> Vec<(String, String)> {
    let added = [
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-amzn-trace-id",
    ];
    let kept = parts
        .headers
        .iter()
        .filter(|(name, _)| !added.contains(&name.as_str()));
    let mut headers: Vec<(String, String)> = kept
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let before = parts.header("x-forwarded-for");
    let chain = if before.is_empty() {
        parts.source_ip.to_owned()
    } else {
        format!("{before}, {}", parts.source_ip)
    };
    for (name, value) in added.into_iter().zip([
        chain,
        parts.port.to_string(),
        "http".into(),
        parts.trace_id.to_owned(),
    ]) {
        headers.push((name.to_owned(), value));
    }
    headers
}

fn base64(body: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(body)
}

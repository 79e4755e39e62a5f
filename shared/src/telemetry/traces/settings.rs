//! Settings of the export of spans, from OpenTelemetry's own environment variables.

use std::time::Duration;

use http::uri::{Authority, Uri};
use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::config::Reader;
use crate::telemetry::Sampler;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const PATH: &str = "/v1/traces";

/// Settings of the export.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// Host and port of the collector.
    pub(super) collector: Authority,
    /// The path to post to.
    pub(super) path: String,
    /// Headers of every request.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Time limit of a request.
    pub(super) timeout: Duration,
    /// How long a response waits for the export of its spans. Zero: it does not wait, which is
    /// right if the process also runs between requests.
    pub(super) flush: Duration,
    /// Which traces are kept.
    pub(super) sampler: Sampler,
    /// The service name in spans.
    pub(super) service: String,
    /// The instance id in spans: the log stream that Lambda, or its host, assigns.
    pub(super) instance: Option<String>,
    /// `host:port` of the Runtime API, where the shutdown extension registers.
    pub(super) runtime_api: Option<String>,
}

impl TraceSettings {
    /// Reads all of them. `Some(None)` without an endpoint; the other variables are not read then.
    /// `function` is the service name if no variable has one.
    pub fn read(reader: &Reader, function: &str) -> Option<Option<Self>> {
        if reader.switch_or("OTEL_SDK_DISABLED", false)? {
            return Some(None);
        }
        let Some(text) = reader.optional_text(ENDPOINT) else {
            return Some(None);
        };
        let endpoint = endpoint(reader, &text);
        let headers = headers(reader);
        let protocol = protocol(reader);
        let timeout = reader.milliseconds_or("OTEL_EXPORTER_OTLP_TIMEOUT", 100..=60_000, 10_000);
        let flush = reader.milliseconds_or("TRACE_FLUSH_MS", 0..=5_000, 500);
        let sampler = Sampler::read(reader);
        let named = ["OTEL_SERVICE_NAME", "AWS_LAMBDA_FUNCTION_NAME"]
            .iter()
            .find_map(|name| reader.optional_text(name));
        protocol?;
        let (collector, path) = endpoint?;
        Some(Some(Self {
            collector,
            path,
            headers: headers?,
            timeout: timeout?,
            flush: flush?,
            sampler: sampler?,
            service: named.unwrap_or_else(|| function.to_owned()),
            instance: reader.optional_text("AWS_LAMBDA_LOG_STREAM_NAME"),
            runtime_api: reader.optional_text("AWS_LAMBDA_RUNTIME_API"),
        }))
    }
}

/// Authority and path to post to. A wrong address is not printed: it may contain a password.
fn endpoint(reader: &Reader, text: &str) -> Option<(Authority, String)> {
    let uri = text.trim_end_matches('/').parse::<Uri>().ok();
    let wrong = match &uri {
        Some(uri) if uri.scheme_str() == Some("https") => "requires TLS, which is not built in",
        Some(uri) if uri.scheme_str() == Some("http") && uri.query().is_none() => {
            match uri.authority() {
                Some(authority) if authority.as_str().contains('@') => {
                    "contains a user, which would not be sent to the collector"
                }
                Some(authority) if !authority.host().is_empty() && has_valid_port(authority) => "",
                _ => "is not such an address (not shown, it may contain a password)",
            }
        }
        _ => "is not such an address (not shown, it may contain a password)",
    };
    if !wrong.is_empty() {
        let allowed = "http://host:port of an OpenTelemetry collector, which forwards spans, over TLS if necessary; \
                       passwords belong into OTEL_EXPORTER_OTLP_HEADERS";
        reader.refuse(ENDPOINT, wrong, allowed);
        return None;
    }
    let uri = uri?;
    Some((
        uri.authority()?.clone(),
        format!("{}{PATH}", uri.path().trim_end_matches('/')),
    ))
}

/// The library reads a port that is not a number as no port.
fn has_valid_port(authority: &Authority) -> bool {
    let after_host = authority.as_str().rsplit(']').next().unwrap_or_default();
    !after_host.contains(':') || authority.port_u16().is_some_and(|port| port > 0)
}

fn protocol(reader: &Reader) -> Option<()> {
    match reader.optional_text(PROTOCOL).as_deref() {
        None | Some("http/protobuf") => Some(()),
        Some(other) => {
            reader.refuse(PROTOCOL, format_args!("is {other:?}"), "http/protobuf");
            None
        }
    }
}

/// `name=value,...`, values percent-encoded. They may be secrets, so neither is printed.
fn headers(reader: &Reader) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let text = reader.optional_text(HEADERS).unwrap_or_default();
    let headers: Option<Vec<_>> = text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(header)
        .collect();
    if headers.is_none() {
        reader.refuse(
            HEADERS,
            "cannot be read (not shown, it may contain a password)",
            "name=value, several separated by commas",
        );
    }
    headers
}

fn header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let value: Vec<u8> = percent_decode_str(value.trim()).collect();
    let mut value = HeaderValue::from_bytes(&value).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Option<TraceSettings>, String> {
        let reader = Reader::new(vars.iter().copied());
        let settings = TraceSettings::read(&reader, "storefront");
        reader
            .finish(|| settings)
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn without_an_endpoint_there_are_no_traces() {
        for vars in [
            &[][..],
            &[(ENDPOINT, " "), (PROTOCOL, "grpc")],
            &[(ENDPOINT, "http://a:1"), ("OTEL_SDK_DISABLED", "true")],
        ] {
            assert!(matches!(read(vars), Ok(None)), "{vars:?}");
        }
    }

    #[test]
    fn the_path_is_added_to_the_endpoint() {
        for (given, posted) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector/", "http://collector/v1/traces"),
            (
                "http://[::1]:4318/otlp/",
                "http://[::1]:4318/otlp/v1/traces",
            ),
        ] {
            let settings = read(&[(ENDPOINT, given)]).expect("valid").expect("on");
            assert_eq!(
                format!("http://{}{}", settings.collector, settings.path),
                posted
            );
            assert_eq!(
                (settings.service.as_str(), settings.flush),
                ("storefront", Duration::from_millis(500))
            );
        }
    }

    #[test]
    fn the_standard_variable_names_the_service() {
        let named = |vars: &[(&str, &str)]| {
            let vars = [&[(ENDPOINT, "http://a:1")], vars].concat();
            read(&vars).expect("valid").expect("on").service
        };
        assert_eq!(
            named(&[("AWS_LAMBDA_FUNCTION_NAME", "demo-storefront")]),
            "demo-storefront"
        );
        assert_eq!(
            named(&[
                ("AWS_LAMBDA_FUNCTION_NAME", "demo-storefront"),
                ("OTEL_SERVICE_NAME", "shop")
            ]),
            "shop"
        );
    }

    #[test]
    fn all_problems_are_reported_without_passwords() {
        let text = read(&[
            (ENDPOINT, "https://u:hunter2@collector"),
            (HEADERS, "authorization hunter2"),
            (PROTOCOL, "grpc"),
            ("TRACE_FLUSH_MS", "soon"),
            ("OTEL_TRACES_SAMPLER", "mine"),
        ])
        .expect_err("problems");
        for variable in [
            ENDPOINT,
            "TLS",
            HEADERS,
            PROTOCOL,
            "TRACE_FLUSH_MS",
            "OTEL_TRACES_SAMPLER",
        ] {
            assert!(text.contains(variable), "{variable}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        let bad = [
            "collector:4318",
            "grpc://a:1",
            "http://",
            "http://a:b",
            "http://a:0",
            "http://a:",
            "http://u@a",
            "http://a?b",
            "a b",
        ];
        for bad in bad {
            assert!(read(&[(ENDPOINT, bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_decoded_and_never_printed() {
        let settings = read(&[
            (ENDPOINT, "http://a:1"),
            (HEADERS, "Authorization=Basic%20hunter2, x-team = a=b ,"),
        ]);
        let settings = settings.expect("valid").expect("on");
        let pairs: Vec<_> = settings
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        assert_eq!(
            pairs,
            [("authorization", &b"Basic hunter2"[..]), ("x-team", b"a=b")]
        );
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}

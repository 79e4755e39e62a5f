//! Settings of the export of spans, from OpenTelemetry's own environment variables.

use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;

use crate::config::{Execution, Reader, SecretRef};
use crate::https::{Address, AddressError, TlsError, tls};
use crate::telemetry::Sampler;

pub(super) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const HEADERS_SECRET: &str = "OTEL_EXPORTER_OTLP_HEADERS_SECRET_ARN";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const PATH: &str = "/v1/traces";
const ALLOWED: &str = "http://host:port or https://host:port of an OpenTelemetry collector; passwords belong into \
     OTEL_EXPORTER_OTLP_HEADERS";

/// Settings of the export.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// Host and port of the collector.
    pub(super) collector: Authority,
    /// Set if the endpoint is `https://`.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The path to post to.
    pub(super) path: String,
    /// Headers of every request.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The secret with further headers, in the form of the variable.
    headers_secret: Option<SecretRef>,
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
    /// Reads all of them. `None` without an endpoint; the other variables are not read then.
    /// `function` is the service name if no variable has one.
    pub fn read(reader: &Reader, function: &str) -> Option<Self> {
        if reader.switch_or("OTEL_SDK_DISABLED", false) {
            return None;
        }
        let text = reader.optional_text(ENDPOINT)?;
        let refuse = |wrong: EndpointError| reader.refuse(ENDPOINT, wrong, ALLOWED);
        let endpoint = endpoint(&text).map_err(refuse);
        let headers = headers(reader);
        let headers_secret = reader.optional_secret(HEADERS_SECRET);
        if headers_secret.is_some() && !headers.is_empty() {
            let allowed = format!("missing, as {HEADERS_SECRET} is given");
            reader.refuse(HEADERS, "is given", allowed);
        }
        reader.parsed_or(PROTOCOL, "http/protobuf", (), |text| {
            (text == "http/protobuf").then_some(())
        });
        let timeout = reader.milliseconds_or("OTEL_EXPORTER_OTLP_TIMEOUT", 100..=60_000, 10_000);
        let flush = reader.milliseconds_or("TRACE_FLUSH_MS", 0..=5_000, 500);
        let flush = Execution::read(reader).flush(flush);
        let sampler = Sampler::read(reader);
        let named = ["OTEL_SERVICE_NAME", "AWS_LAMBDA_FUNCTION_NAME"]
            .iter()
            .find_map(|name| reader.optional_text(name));
        let Endpoint {
            collector,
            path,
            tls,
        } = endpoint.ok()?;
        Some(Self {
            collector,
            tls,
            path,
            headers,
            headers_secret,
            timeout,
            flush,
            sampler,
            service: named.unwrap_or_else(|| function.to_owned()),
            instance: reader.optional_text("AWS_LAMBDA_LOG_STREAM_NAME"),
            runtime_api: reader.optional_text("AWS_LAMBDA_RUNTIME_API"),
        })
    }

    /// Trusts these authorities beside the built-in ones; empty for none. `identity`: the client's
    /// certificate, followed by those of intermediate authorities, and its private key. All in PEM.
    /// Without TLS nothing changes.
    ///
    /// # Errors
    /// They are not in PEM, or cannot be used.
    pub fn with_certificates(
        mut self,
        authorities: &[u8],
        identity: Option<(&[u8], &[u8])>,
    ) -> Result<Self, TlsError> {
        if self.tls.is_some() {
            self.tls = Some(tls::config(authorities, identity)?);
        }
        Ok(self)
    }
}

impl TraceSettings {
    /// The secret with headers, if they are not in a variable.
    pub fn secret(&self) -> Option<SecretRef> {
        self.headers_secret.clone()
    }

    /// With headers in the form of the variable, from the secret. `None`: they have another form.
    #[must_use]
    pub fn with_headers(self, text: &str) -> Option<Self> {
        let headers = parsed_headers(text)?;
        Some(Self { headers, ..self })
    }
}

/// Why an endpoint is refused. The address is not printed: it may contain a password.
#[derive(Debug, thiserror::Error)]
enum EndpointError {
    #[error("is not such an address (not shown, it may contain a password)")]
    NoAddress,
    #[error("requires TLS, which cannot be set up: certificates for the collector of traces: {0}")]
    Tls(#[from] TlsError),
    #[error("contains a user, which would not be sent to the collector")]
    User,
}

/// Where spans are posted to.
struct Endpoint {
    collector: Authority,
    path: String,
    tls: Option<Arc<ClientConfig>>,
}

fn endpoint(text: &str) -> Result<Endpoint, EndpointError> {
    let address = Address::parse(text, ENDPOINT).map_err(|wrong| match wrong {
        AddressError::NoAddress => EndpointError::NoAddress,
        AddressError::User => EndpointError::User,
    })?;
    let tls = address.encrypted.then(|| tls::config(&[], None));
    Ok(Endpoint {
        collector: address.server,
        path: format!("{}{PATH}", address.path),
        tls: tls.transpose()?,
    })
}

/// `name=value,...`, values percent-encoded. They may be secrets, so neither is printed.
fn headers(reader: &Reader) -> Vec<(HeaderName, HeaderValue)> {
    let text = reader.optional_text(HEADERS).unwrap_or_default();
    let headers = parsed_headers(&text);
    if headers.is_none() {
        reader.refuse(
            HEADERS,
            "cannot be read (not shown, it may contain a password)",
            "name=value, several separated by commas",
        );
    }
    headers.unwrap_or_default()
}

fn parsed_headers(text: &str) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let pairs = text.split(',').map(str::trim);
    pairs.filter(|pair| !pair.is_empty()).map(header).collect()
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
    use crate::config::Problems;

    fn read(vars: &[(&str, &str)]) -> Result<Option<TraceSettings>, Problems> {
        let reader = Reader::new(vars.iter().copied());
        reader.finish(|| TraceSettings::read(&reader, "storefront"))
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
            ("https://collector/", "https://collector/v1/traces"),
            (
                "http://[::1]:4318/otlp/",
                "http://[::1]:4318/otlp/v1/traces",
            ),
        ] {
            let settings = read(&[(ENDPOINT, given)]).expect("valid").expect("on");
            let scheme = settings.tls.as_ref().map_or("http", |_| "https");
            assert_eq!(
                format!("{scheme}://{}{}", settings.collector, settings.path),
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
        .expect_err("problems")
        .to_string();
        for variable in [
            ENDPOINT,
            "user",
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
            "https://a?b",
            "https://",
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

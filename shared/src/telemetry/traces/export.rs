//! Converts spans to OpenTelemetry's types and posts them.
//!
//! Types and encoding are OpenTelemetry's own. Its exporter is not used: it blocks the thread
//! between attempts, and a function has only one.

use std::future::Future;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind as OtelKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message;
use tokio::sync::Mutex;

use super::settings::{ENDPOINT, TraceSettings};
use crate::https::{BoxError, Connection, chain};
use crate::naming::Names;
use crate::telemetry::{AttributeValue, Span, SpanKind, TraceContext};

/// Maximum bytes of a response.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Why the collector accepted no span.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// It refused the request.
    #[error("the collector responded with {0}")]
    Refused(StatusCode),
    /// It did not respond in time.
    #[error("the collector did not respond within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The connection failed.
    #[error("{}", chain(&**.0))]
    Connection(#[from] BoxError),
}

/// Sends spans.
pub(super) trait SpanExporter: Send + Sync + 'static {
    /// Returns how many of the spans were refused, or why none was accepted.
    fn export(&self, spans: Vec<Span>) -> impl Future<Output = Result<u64, ExportError>> + Send;
}

/// Exports to a collector by OTLP over HTTP.
pub(super) struct OtlpExporter {
    /// One request at a time.
    connection: Mutex<Connection>,
    path: String,
    headers: HeaderMap,
    timeout: Duration,
    resource: ResourceAttributesWithSchema,
    scope: InstrumentationScope,
}

impl OtlpExporter {
    /// Connects when first used.
    pub(super) fn new(settings: &TraceSettings, names: &Names) -> Self {
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new(
                "deployment.environment.name",
                names.prefix().to_owned(),
            ))
            .with_attributes(
                settings
                    .instance
                    .iter()
                    .map(|name| KeyValue::new("service.instance.id", name.clone())),
            )
            .build();
        let mut headers: HeaderMap = settings.headers.iter().cloned().collect();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        Self {
            connection: Mutex::new(Connection::to(
                settings.collector.clone(),
                settings.tls.clone(),
                ENDPOINT,
            )),
            path: settings.path.clone(),
            headers,
            timeout: settings.timeout,
            resource: (&resource).into(),
            scope: InstrumentationScope::builder("usher")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<u64, ExportError> {
        let mut connection = self.connection.lock().await;
        let response = connection
            .send(Method::POST, &self.path, &self.headers, body.into())
            .await?;
        let status = response.status();
        // Read to its end, else the connection could not be reused.
        let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES)
            .collect()
            .await
            .map_err(ExportError::Connection)?
            .to_bytes();
        if !status.is_success() {
            return Err(ExportError::Refused(status));
        }
        // A collector that responds with 200 and another body has accepted all spans.
        let response = ExportTraceServiceResponse::decode(body).unwrap_or_default();
        Ok(response
            .partial_success
            .map_or(0, |partial| partial.rejected_spans.max(0) as u64))
    }
}

impl SpanExporter for OtlpExporter {
    async fn export(&self, spans: Vec<Span>) -> Result<u64, ExportError> {
        let spans = spans
            .into_iter()
            .map(|span| span_data(span, &self.scope))
            .collect();
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        match tokio::time::timeout(self.timeout, self.post(body)).await {
            Ok(result) => result,
            Err(_) => Err(ExportError::Timeout(self.timeout)),
        }
    }
}

fn span_data(span: Span, scope: &InstrumentationScope) -> SpanData {
    let mut links = SpanLinks::default();
    links.links.extend(
        span.link
            .map(|link| Link::new(context(link, true), Vec::new(), 0)),
    );
    SpanData {
        span_context: context(span.position.context, false),
        parent_span_id: span
            .position
            .parent
            .map_or(SpanId::INVALID, |parent| parent.span().into()),
        parent_span_is_remote: span.position.parent.is_some() && span.kind.has_remote_parent(),
        span_kind: match span.kind {
            SpanKind::Server => OtelKind::Server,
            SpanKind::Producer => OtelKind::Producer,
            SpanKind::Consumer => OtelKind::Consumer,
            SpanKind::Internal => OtelKind::Internal,
        },
        name: span.name,
        start_time: span.took.0,
        // The clock may have been set back in between.
        end_time: span.took.1.max(span.took.0),
        attributes: span.attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

fn attribute((name, value): (&'static str, AttributeValue)) -> KeyValue {
    match value {
        AttributeValue::Text(text) => KeyValue::new(name, text),
        AttributeValue::Number(number) => KeyValue::new(name, number),
    }
}

fn context(context: TraceContext, is_remote: bool) -> SpanContext {
    let flags = if context.is_sampled() {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::NOT_SAMPLED
    };
    let trace = TraceId::from(context.trace());
    let span = SpanId::from(context.span());
    SpanContext::new(trace, span, flags, is_remote, TraceState::NONE)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::telemetry::{SpanPosition, attributes};

    #[test]
    fn a_span_is_exported_with_all_its_fields() {
        let caller = TraceContext::begin(7, 1);
        let own = TraceContext::begin(7, 2);
        let other = TraceContext::begin(8, 3);
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
        let position = SpanPosition {
            context: own,
            parent: Some(caller),
        };
        let span = Span::new(
            position,
            SpanKind::Consumer,
            "process orders",
            (began, SystemTime::UNIX_EPOCH),
        )
        .with(attributes::KAFKA_OFFSET, 42)
        .failed("parked", "cannot be read");
        let data = span_data(
            Span {
                link: Some(other),
                ..span
            },
            &InstrumentationScope::default(),
        );
        assert_eq!(
            (data.span_context.trace_id(), data.span_context.span_id()),
            (TraceId::from(7), SpanId::from(2))
        );
        assert_eq!(
            (data.parent_span_id, data.parent_span_is_remote),
            (SpanId::from(1), true)
        );
        assert_eq!(
            (data.start_time, data.end_time),
            (began, began),
            "the end is not before the begin"
        );
        let expected = [
            KeyValue::new("messaging.kafka.offset", 42),
            KeyValue::new("error.type", "parked"),
        ];
        assert_eq!(data.attributes, expected);
        assert_eq!(
            (data.span_kind, data.status),
            (OtelKind::Consumer, Status::error("cannot be read"))
        );
        assert_eq!(
            data.links
                .iter()
                .map(|link| link.span_context.trace_id())
                .collect::<Vec<_>>(),
            [TraceId::from(8)]
        );
    }
}

//! Logs, metrics and traces of a function.
//!
//! - [`init`] (feature `telemetry`): logs, one JSON object per line on standard output, where
//!   Lambda and `usher` collect them.
//! - [`MetricLine`]: metrics as lines of the embedded metric format, since a Lambda function cannot
//!   be scraped; `usher` converts them to Prometheus series.
//! - [`TraceContext`]: W3C trace context, carried from the HTTP request through the message into
//!   every log line about the order.
//! - [`Span`]: an operation and its times; [`Sampler`]: which traces are kept. Pure.
//! - [`traces`] (feature `traces`): the export of spans to an OpenTelemetry collector.

pub mod attributes;
#[cfg(feature = "telemetry")]
mod logs;
mod metrics;
mod sampling;
mod span;
mod trace;
#[cfg(feature = "traces")]
pub mod traces;

#[cfg(feature = "telemetry")]
pub use logs::init;
pub use metrics::{MetricLine, NAMESPACE};
pub use sampling::Sampler;
pub use span::{AttributeValue, Span, SpanKind, SpanPosition};
pub use trace::TraceContext;

//! What people see of a running function: JSON logs, metrics, and the thread that ties one order's lines and spans together.
//!
//! - [`init`] (feature `telemetry`): one JSON object a line on standard output, where Lambda and `usher` alike collect it.
//! - [`MetricLine`]: metrics as lines of the embedded metric format, since nobody can scrape a Lambda; `usher` turns them into Prometheus series.
//! - [`TraceContext`]: W3C trace context, carried from the HTTP request through the message into every log line about the order.
//! - [`Span`]: what was done, from when to when; [`Sampler`]: which traces are kept. Pure.
//! - [`traces`] (feature `traces`): spans exported to an OpenTelemetry collector, where one is named.

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
pub use span::{Kind, Place, Span, Value};
pub use trace::TraceContext;

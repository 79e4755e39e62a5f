//! What people see of a running function: JSON logs, metrics, and the thread that ties one order's lines together.
//!
//! - [`init`] (feature `telemetry`): one JSON object a line on standard output, where Lambda and `usher` alike collect it.
//! - [`MetricLine`]: metrics as lines of the embedded metric format, since nobody can scrape a Lambda; `usher` turns them into Prometheus series.
//! - [`TraceContext`]: W3C trace context, carried from the HTTP request through the message into every log line about the order.

#[cfg(feature = "telemetry")]
mod logs;
mod metrics;
mod trace;

#[cfg(feature = "telemetry")]
pub use logs::init;
pub use metrics::{MetricLine, NAMESPACE};
pub use trace::TraceContext;

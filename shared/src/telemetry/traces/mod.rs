//! The export of spans to an OpenTelemetry collector: OTLP over HTTP or HTTPS, protobuf.
//!
//! ```text
//! end of a request --record--> bounded backlog --exporting task--> POST {endpoint}/v1/traces
//! before the response --flush--> waits for the backlog, for a bounded time
//! end of the process --serve--> waits for the backlog once more
//! ```
//!
//! Promises:
//! - Without an endpoint, a [`Tracer`] creates no ids, spans, task or connection.
//! - A collector makes no request fail, and none waits longer than the settings allow. After a wait
//!   that timed out, or an export that failed, no request waits until an export has succeeded.
//! - A span for which there is no room, or that the collector does not accept, is dropped and
//!   counted (`SpansDropped`); each outage is logged once.
//!
//! [`backlog`] decides what is kept, when it is sent and who waits; [`export`] sends.

mod backlog;
mod export;
mod settings;
mod shutdown;
mod tracer;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

pub use settings::TraceSettings;
pub use tracer::Tracer;

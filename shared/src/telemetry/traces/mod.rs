//! Spans on their way to an OpenTelemetry collector: OTLP over HTTP, protobuf.
//!
//! ```text
//! a request's end --record--> a bounded backlog, nobody waits --a task of its own--> POST {endpoint}/v1/traces
//! before an answer --settle--> waits for the backlog, briefly, and only while there is hope
//! the process's end --serve--> one last time
//! ```
//!
//! Promises:
//! - No endpoint, no work: a [`Tracer`] that is off makes no identities, no spans, no task and no connection.
//! - No request fails, or waits longer than the settings say, because of a collector. After a wait in vain, or an export that failed, none waits
//!   until one has come through.
//! - What finds no room, or is not taken, is dropped, counted (`SpansDropped`) and told of once an outage.
//!
//! [`backlog`] is the rule: what is kept, when it is sent, who waits. [`export`] is the edge.

mod backlog;
mod connection;
mod export;
mod farewell;
mod settings;
mod tracer;

#[cfg(test)]
mod tests;

pub use settings::TraceSettings;
pub use tracer::Tracer;

//! The host against real processes and real servers. One binary: linking is the slow part.

mod instances;
mod kafka;
mod support;

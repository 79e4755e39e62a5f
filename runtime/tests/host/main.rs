//! The host against real processes and real servers. One binary: linking is the slow part.

#![allow(clippy::unwrap_used)]

mod instances;
mod kafka;
mod support;
mod template;

//! The core crate of all functions.

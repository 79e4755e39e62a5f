//! Room `delay`.

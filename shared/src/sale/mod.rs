//! Room `sale`.

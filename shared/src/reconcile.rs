//! Room `reconcile`.

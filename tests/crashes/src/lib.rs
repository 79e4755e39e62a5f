//! The functions of the sale together, each killed at every place where it waits for a server. See
//! `tests/crashes`.

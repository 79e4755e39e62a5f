//! The functions of the sale, each killed at every place where it awaits a server. See
//! `tests/crashes`.

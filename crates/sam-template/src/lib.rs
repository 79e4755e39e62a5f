#![doc = include_str!("../README.md")]

pub mod document;
pub mod model;
pub mod project;
pub mod redaction;
pub mod schedule;
pub mod template;

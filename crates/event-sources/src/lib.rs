#![doc = include_str!("../README.md")]

pub mod asynchronous;
pub mod filter;
pub mod health;
pub mod kafka;
pub mod queue;
mod settings;
pub mod stream;
pub mod suggestion;

pub use settings::SourceSettings;

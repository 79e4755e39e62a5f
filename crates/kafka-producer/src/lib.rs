#![doc = include_str!("../README.md")]

mod awaited;
mod polled;
mod sticky;
mod thread;

pub use awaited::{AwaitedDeliveries, DeliveryReceiver};
pub use polled::{PolledProducer, Replacement};
pub use sticky::StickyPartitions;

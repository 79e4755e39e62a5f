#![doc = include_str!("../README.md")]

mod awaited;
mod polled;
mod thread;

pub use awaited::{AwaitedDeliveries, DeliveryReceiver};
pub use polled::{PolledProducer, Replacement};

#![doc = include_str!("../README.md")]

mod access;
mod awaited;
mod polled;
mod sticky;
mod thread;

pub use access::{
    AccessError, BrokerAccess, Login, LoginSource, Mechanism, Refusal, RefusalKind, Security,
    SourceError, TlsIdentity, TlsMaterial, Token, TokenSource,
};
pub use awaited::{AwaitedDeliveries, DeliveryReceiver};
pub use polled::{PolledProducer, Replacement};
pub use sticky::StickyPartitions;

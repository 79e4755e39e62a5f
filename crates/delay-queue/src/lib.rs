#![doc = include_str!("../README.md")]

mod inspect;
mod leases;
mod queue;
mod scripts;
mod shard;
mod types;
mod worker;

pub use lambda_batch::{Backoff, Outcome, Reason};
pub use queue::DelayQueue;
pub use redis_link::{InvalidArgument, Link, LinkError, LinkOptions, SettingNames};
pub use scripts::FRAGMENTS;
pub use shard::Shard;
pub use types::{
    Claim, Claimed, Due, Entry, Fenced, MAX_BODY_BYTES, MAX_PARKED, NewEntry, Parked, Pending,
    Replayed, Scheduled, Stats,
};
pub use worker::{Handler, Job, Worker, WorkerCounts, WorkerSettings};

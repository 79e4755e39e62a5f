//! Work that servers and processes have done, from their own counters. The difference of two
//! readings is the work of what ran between them, if nothing else used the servers.
//!
//! | file | reads |
//! |---|---|
//! | `redis` | INFO of a Redis server |
//! | `postgres` | the statistics of a database |
//! | `kafka` | record batches in the log of a topic |
//! | `system_calls` | system calls of processes, by strace |

pub(crate) mod kafka;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod system_calls;

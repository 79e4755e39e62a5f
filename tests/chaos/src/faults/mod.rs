//! Applies faults, and undoes them.
//!
//! | module | faults of |
//! |---|---|
//! | `processes` | functions and the host |
//! | `servers` | servers |
//! | `network` | the network between parts of the system |
//! | `data` | data and memory of Redis and of the database |
//! | `failover` | primaries that are replaced |
//! | `records` | records of the topic of orders |
//! | `topics` | the topic of orders |

mod data;
mod failover;
mod network;
mod processes;
mod records;
mod servers;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use ticket_rush::client_log::{ClientLog, now_ms};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::hosts::RunningHost;
use crate::kind::Kind;
use crate::place::Resource;
use crate::schedule::Fault;
use crate::servers::OwnServers;

/// The system under faults.
#[derive(Debug)]
pub struct Target {
    /// Servers.
    pub servers: OwnServers,
    /// The hosts, which share the work.
    pub hosts: Vec<RunningHost>,
    /// Faults of hosts so far: they take the hosts by turns.
    pub turn: AtomicUsize,
    /// Environment prefix.
    pub prefix: String,
    /// Receives the orders whose records are deleted.
    pub log: ClientLog,
    /// One permit for each request that buyers may send at one time.
    pub permits: Arc<Semaphore>,
    /// Number of these permits.
    pub requests: u32,
    /// Records that were published and are no orders.
    pub poison: AtomicUsize,
    /// Held by the fault that disturbs the resource. The schedule keeps faults of one resource apart
    /// by their lengths; undoing one may take longer.
    pub locks: BTreeMap<Resource, Mutex<()>>,
}

/// A fault as it happened.
#[derive(Debug, Clone)]
pub struct Applied {
    /// What was done.
    pub kind: Kind,
    /// Begin and end, milliseconds since 1970. The end is when the disturbed part ran again.
    pub span: [u64; 2],
    /// What was disturbed, or why nothing was.
    pub result: Result<String, Arc<anyhow::Error>>,
}

/// Applies each fault at its time, counted from `start`. `report` receives each one when it ends.
pub async fn apply_all(
    target: &Arc<Target>,
    schedule: Vec<Fault>,
    start: Instant,
    report: impl Fn(&Applied),
) -> Vec<Applied> {
    let mut running = JoinSet::new();
    let mut applied = Vec::new();
    let mut schedule = schedule.into_iter();
    let mut next = schedule.next();
    while next.is_some() || !running.is_empty() {
        let begins = next.map_or(start, |fault| start + fault.at);
        tokio::select! {
            Some(ended) = running.join_next() => {
                let one = ended.expect("a fault is applied and undone");
                report(&one);
                applied.push(one);
            }
            () = sleep_until(begins), if next.is_some() => {
                // A thread of its own: starting a server blocks it, and other faults go on.
                let (target, runtime) = (target.clone(), Handle::current());
                if let Some(fault) = next.take() {
                    running.spawn_blocking(move || runtime.block_on(target.time(fault)));
                }
                next = schedule.next();
            }
        }
    }
    applied.sort_by_key(|one| one.span);
    applied
}

impl Target {
    async fn time(&self, fault: Fault) -> Applied {
        let mut needs = fault.kind.needs();
        // In one order, so that no two faults wait for each other.
        needs.sort();
        let mut held = Vec::new();
        for lock in needs.iter().filter_map(|resource| self.locks.get(resource)) {
            held.push(lock.lock().await);
        }
        let began = now_ms();
        let done = self.apply(fault.kind, fault.lasts).await;
        Applied {
            kind: fault.kind,
            span: [began, now_ms()],
            result: done.map_err(Arc::new),
        }
    }

    /// Does it and undoes it. Returns what was disturbed. An error before the disturbance disturbs
    /// nothing.
    async fn apply(&self, kind: Kind, lasts: Duration) -> Result<String> {
        match kind {
            Kind::KillFunction(function) => self.kill_function(function).await,
            Kind::FreezeFunction(function) | Kind::Deadline(function) => {
                self.freeze_function(function, lasts).await
            }
            Kind::KillHost => self.kill_host(lasts).await,
            Kind::PauseOrderCreate => self.pause_order_create(lasts).await,
            Kind::KillServer(server) => self.kill_server(server, lasts).await,
            Kind::FreezeServer(server) => self.freeze_server(server, lasts).await,
            Kind::Cut(path) => self.cut(path, lasts).await,
            Kind::Hold(path) => self.hold(path, lasts).await,
            Kind::HalfOpen(path) => self.half_open(path).await,
            Kind::Delay(path) => self.delay(path, lasts).await,
            Kind::ShiftClocks => self.shift_clocks(lasts).await,
            Kind::KillDatabaseInBatch => self.kill_database_in_batch(lasts).await,
            Kind::FlushScripts => self.flush_scripts().await,
            Kind::FlushGate => self.flush_gate().await,
            Kind::FlushCache => self.flush_cache().await,
            Kind::DeleteStreams => self.delete_streams().await,
            Kind::OutOfMemory => self.out_of_memory(lasts).await,
            Kind::SerializationFailures => self.serialization_failures(lasts).await,
            Kind::FullDisk => self.full_disk(lasts).await,
            Kind::EndSessions => self.end_sessions().await,
            Kind::GateFailover => self.gate_failover().await,
            Kind::GateHandover => self.gate_handover().await,
            Kind::DatabaseFailover => self.database_failover().await,
            Kind::Redeliver => self.redeliver().await,
            Kind::Poison => self.poison().await,
            Kind::Transaction => self.transaction().await,
            Kind::DeleteRecords => self.delete_records(lasts).await,
            Kind::AddPartition => self.add_partition().await,
            Kind::RecreateTopic => self.recreate_topic().await,
        }
    }

    /// The host whose turn it is.
    fn host(&self) -> &RunningHost {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        &self.hosts[turn % self.hosts.len()]
    }

    /// Records that are to be parked.
    pub fn parked(&self) -> usize {
        self.poison.load(Ordering::SeqCst)
    }
}

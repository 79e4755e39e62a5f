//! The kinds of faults. Pure.

use std::fmt;
use std::time::Duration;

use crate::place::{Path, Resource, SERVERS, Server, resources};

/// What is done to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A process of this function is killed while it handles an event.
    KillFunction(&'static str),
    /// The processes of this function are stopped (SIGSTOP) for longer than their leases.
    FreezeFunction(&'static str),
    /// The processes of this function are stopped beyond their deadline, so that the host kills
    /// them.
    Deadline(&'static str),
    /// The host is killed with its functions, and starts again.
    KillHost,
    /// A server is killed and starts again on its data.
    KillServer(Server),
    /// A server is stopped (SIGSTOP) for longer than leases; its connections stay open.
    FreezeServer(Server),
    /// Connections are reset, new ones too.
    Cut(Path),
    /// Nothing passes, then what was held.
    Hold(Path),
    /// Existing connections become half-open; new ones work.
    HalfOpen(Path),
    /// What passes is late.
    Delay(Path),
    /// The clocks of functions are a minute ahead on one host, and a minute behind on the next.
    ShiftClocks,
    /// Postgres is killed while order-create stores a batch.
    KillDatabaseInBatch,
    /// SCRIPT FLUSH and FUNCTION FLUSH on both Redis servers.
    FlushScripts,
    /// FLUSHALL of the gate.
    FlushGate,
    /// FLUSHALL of the cache.
    FlushCache,
    /// The streams of the cache are deleted.
    DeleteStreams,
    /// The gate has no memory for writes.
    OutOfMemory,
    /// The gate's primary is killed, and a replica that misses its last second takes over.
    GateFailover,
    /// A replica of the gate takes over in order; old connections answer READONLY.
    GateHandover,
    /// The database's primary is killed, and its synchronous standby takes over.
    DatabaseFailover,
    /// A share of the statements on orders fails with SQLSTATE 40001.
    SerializationFailures,
    /// The disk of the database is full.
    FullDisk,
    /// All sessions of the system are ended by the administrator.
    EndSessions,
    /// Order-create receives nothing for longer than the time to pay.
    PauseOrderCreate,
    /// Order-create receives the records of the last seconds once more.
    Redeliver,
    /// Records that are no orders.
    Poison,
    /// A record that is no order, in a transaction: its marker takes an offset.
    Transaction,
    /// Records that order-create has not read are deleted.
    DeleteRecords,
    /// The topic of orders has one more partition.
    AddPartition,
    /// The topic of orders is deleted, when it is read to its end, and created again.
    RecreateTopic,
}

/// Functions that are killed.
const KILLED: [&str; 6] = [
    "Storefront",
    "StorefrontPayments",
    "OrderCreate",
    "TimeoutCloser",
    "StreamBridge",
    "ApiDataCollector",
];
/// Functions that hold leases or transactions, and are stopped.
const FROZEN: [&str; 3] = ["OrderCreate", "TimeoutCloser", "Storefront"];
/// Functions that exceed their deadlines.
const LATE: [&str; 2] = ["OrderCreate", "TimeoutCloser"];
/// Kinds without a target.
const SINGLE: [Kind; 21] = [
    Kind::KillHost,
    Kind::ShiftClocks,
    Kind::FlushScripts,
    Kind::FlushGate,
    Kind::FlushCache,
    Kind::DeleteStreams,
    Kind::OutOfMemory,
    Kind::GateFailover,
    Kind::GateHandover,
    Kind::DatabaseFailover,
    Kind::KillDatabaseInBatch,
    Kind::SerializationFailures,
    Kind::FullDisk,
    Kind::EndSessions,
    Kind::PauseOrderCreate,
    Kind::Redeliver,
    Kind::Poison,
    Kind::Transaction,
    Kind::DeleteRecords,
    Kind::AddPartition,
    Kind::RecreateTopic,
];

impl Kind {
    /// Every kind, with each of its targets.
    pub fn all() -> Vec<Self> {
        let mut all = SINGLE.to_vec();
        all.extend(KILLED.map(Self::KillFunction));
        all.extend(FROZEN.map(Self::FreezeFunction));
        all.extend(LATE.map(Self::Deadline));
        all.extend(SERVERS.map(Self::KillServer));
        all.extend(SERVERS.map(Self::FreezeServer));
        all.extend(Path::all().flat_map(|path| [Self::Cut(path), Self::Hold(path)]));
        all.extend(Path::all().map(Self::Delay));
        all.extend(Path::of_clients().map(Self::HalfOpen));
        all
    }

    /// Name without the target: faults are counted by it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillFunction(_) => "function killed",
            Self::FreezeFunction(_) => "function stopped beyond its lease",
            Self::Deadline(_) => "function stopped beyond its deadline",
            Self::KillHost => "host killed",
            Self::KillServer(_) => "server killed",
            Self::FreezeServer(_) => "server stopped (SIGSTOP)",
            Self::Cut(_) => "network cut",
            Self::Hold(_) => "network holds everything",
            Self::HalfOpen(_) => "half-open connections",
            Self::Delay(_) => "network latency",
            Self::ShiftClocks => "clocks of functions shifted",
            Self::KillDatabaseInBatch => "PostgreSQL killed within a batch",
            Self::FlushScripts => "SCRIPT and FUNCTION FLUSH",
            Self::FlushGate => "FLUSHALL of the gate",
            Self::FlushCache => "FLUSHALL of the cache",
            Self::DeleteStreams => "streams deleted",
            Self::OutOfMemory => "gate out of memory",
            Self::GateFailover => "gate: replica without the last second",
            Self::GateHandover => "gate: old connections READONLY",
            Self::DatabaseFailover => "PostgreSQL: standby takes over",
            Self::SerializationFailures => "serialization failures",
            Self::FullDisk => "PostgreSQL: disk full",
            Self::EndSessions => "sessions ended",
            Self::PauseOrderCreate => "order-create paused beyond the time to pay",
            Self::Redeliver => "records delivered again",
            Self::Poison => "records that are no orders",
            Self::Transaction => "transaction marker",
            Self::DeleteRecords => "unread records deleted",
            Self::AddPartition => "partition added",
            Self::RecreateTopic => "topic created again",
        }
    }

    /// The function or server that it is done to; none where the name says it.
    pub fn target(self) -> Option<String> {
        match self {
            Self::KillFunction(function)
            | Self::FreezeFunction(function)
            | Self::Deadline(function) => Some(function.to_owned()),
            Self::KillServer(server) | Self::FreezeServer(server) => Some(server.to_string()),
            Self::Cut(path) | Self::Hold(path) | Self::HalfOpen(path) | Self::Delay(path) => {
                Some(path.to_string())
            }
            _ => None,
        }
    }

    /// What it needs for itself.
    pub fn needs(self) -> Vec<Resource> {
        match self {
            Self::KillFunction(_)
            | Self::FreezeFunction(_)
            | Self::Deadline(_)
            | Self::KillHost
            | Self::PauseOrderCreate => vec![Resource::Host],
            Self::KillServer(server) | Self::FreezeServer(server) => {
                vec![Resource::Server(server)]
            }
            Self::Cut(path) | Self::Hold(path) | Self::HalfOpen(path) | Self::Delay(path) => {
                vec![path.resource()]
            }
            Self::ShiftClocks => vec![Resource::Clocks],
            Self::FlushScripts => [Server::Gate, Server::Cache].map(Resource::Server).to_vec(),
            Self::FlushGate | Self::OutOfMemory | Self::GateFailover | Self::GateHandover => {
                vec![Resource::Server(Server::Gate)]
            }
            Self::FlushCache | Self::DeleteStreams => vec![Resource::Server(Server::Cache)],
            Self::DatabaseFailover
            | Self::KillDatabaseInBatch
            | Self::SerializationFailures
            | Self::FullDisk
            | Self::EndSessions => {
                vec![Resource::Server(Server::Database)]
            }
            // It reads in PostgreSQL what order-create has stored.
            Self::DeleteRecords => {
                let servers = [Server::Kafka, Server::Database].map(Resource::Server);
                std::iter::once(Resource::Host).chain(servers).collect()
            }
            Self::Redeliver => vec![Resource::Host, Resource::Server(Server::Kafka)],
            Self::Poison | Self::Transaction | Self::AddPartition => {
                vec![Resource::Server(Server::Kafka)]
            }
            // Order-create must have read the topic to its end.
            Self::RecreateTopic => resources().collect(),
        }
    }

    /// Bounds of its length. Zero: it has none.
    pub const fn length(self) -> [Duration; 2] {
        let millis = match self {
            Self::FreezeFunction(_) => [2500, 4500],
            Self::Deadline(_) => [9000, 10_000],
            Self::KillHost | Self::KillServer(_) | Self::KillDatabaseInBatch => [0, 1500],
            Self::FreezeServer(_) | Self::Hold(_) => [2500, 6000],
            Self::Cut(_) | Self::OutOfMemory | Self::FullDisk => [1000, 5000],
            Self::Delay(_) | Self::SerializationFailures => [3000, 8000],
            Self::ShiftClocks => [6000, 12_000],
            Self::DeleteRecords => [2000, 3000],
            Self::PauseOrderCreate => [13_000, 15_000],
            _ => [0, 0],
        };
        [
            Duration::from_millis(millis[0]),
            Duration::from_millis(millis[1]),
        ]
    }

    /// Whether the gate loses what it had acknowledged: then an order that was accepted may be
    /// rejected (docs/explanation/order-protocol.md, "Failures after which data differ").
    pub const fn loses_gate_data(self) -> bool {
        matches!(self, Self::FlushGate | Self::GateFailover)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target() {
            Some(target) => write!(f, "{}: {target}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

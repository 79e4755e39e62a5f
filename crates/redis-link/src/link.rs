//! The link: what callers use, over one server or the nodes of a cluster.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use super::access::Access;
use super::address::Topology;
use super::blocking::BlockingConnection;
use super::cluster::Cluster;
use super::connect::{Connector, Target};
use super::login::FixedLogin;
use super::node::{Node, pipeline};
use super::options::LinkOptions;
use super::script::Call;
use super::{LinkError, Reply, address, tls};

/// One multiplexed connection to Redis, or one to each node of a cluster that is used. Cheap to
/// clone; clones share the connections.
#[derive(Clone)]
pub struct Link {
    pub(super) servers: Servers,
    pub(super) response_timeout: Duration,
}

/// What a link leads to.
#[derive(Clone)]
pub(super) enum Servers {
    /// One server, or the current primary of a set that Sentinels watch.
    One(Arc<Node>),
    Cluster(Arc<Cluster>),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// A link to the Redis of this address, with the login that the address contains. It connects
    /// on first use. Needs a tokio runtime.
    ///
    /// `response_timeout` bounds every call, reconnecting included.
    pub fn open(url: &str, response_timeout: Duration) -> Result<Self, LinkError> {
        Self::open_with(url, response_timeout, LinkOptions::default())
    }

    /// As [`Self::open`], with certificates and a source of the login.
    ///
    /// The address is `redis://host[:port][/database]`; `rediss://` means TLS. With
    /// `?cluster=true` it names nodes of a cluster, with `?sentinel=NAME` Sentinels and their name
    /// of the primary, both as `host:port,host:port`.
    pub fn open_with(
        url: &str,
        response_timeout: Duration,
        options: LinkOptions,
    ) -> Result<Self, LinkError> {
        let parsed = address::parse(url)?;
        let tls = if parsed.tls {
            Some(tls::configuration(&options.tls, &options.names)?)
        } else {
            None
        };
        let login = options
            .login
            .unwrap_or_else(|| Arc::new(FixedLogin(parsed.login)));
        let access = Access::new(tls, login, parsed.settings, options.names, response_timeout);
        let access = Arc::new(access);
        let one = |target| {
            let connector = Arc::new(Connector::new(access.clone(), target));
            let node = Node::new(connector, response_timeout, Arc::default());
            Servers::One(Arc::new(node))
        };
        let servers = match parsed.topology {
            Topology::Server(address) => one(Target::Server(address)),
            Topology::Sentinels(sentinels, name) => one(Target::Sentinels(sentinels, name)),
            Topology::Cluster(seeds) => {
                Servers::Cluster(Arc::new(Cluster::new(access, seeds, response_timeout)))
            }
        };
        Ok(Self {
            servers,
            response_timeout,
        })
    }

    /// Changes when the link replaces a connection, or finds another layout of a cluster.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        match &self.servers {
            Servers::One(node) => node.connection.changes(),
            Servers::Cluster(cluster) => cluster.changes(),
        }
    }

    /// A connection of its own, for blocking reads.
    pub fn blocking(&self) -> BlockingConnection {
        BlockingConnection {
            link: self.clone(),
            kept: None,
        }
    }

    /// Runs one script.
    pub async fn run(&self, call: Call) -> Result<Reply, LinkError> {
        let mut replies = self.run_all(vec![call]).await?;
        replies
            .pop()
            .unwrap_or_else(|| Err(LinkError::no_answer("a call")))
    }

    /// Runs many scripts in one round trip, in a cluster one for each node. They are independent: one that fails does not stop the
    /// others. After an outer error any of them may have been applied.
    pub async fn run_all(
        &self,
        calls: Vec<Call>,
    ) -> Result<Vec<Result<Reply, LinkError>>, LinkError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + self.response_timeout;
        let values = match &self.servers {
            Servers::One(node) => node.run_loading(&calls, deadline).await?,
            // Boxed, so that the future of a single server does not contain that of a cluster.
            Servers::Cluster(cluster) => Box::pin(cluster.run(&calls, deadline)).await?,
        };
        Ok(values
            .into_iter()
            .zip(calls)
            .map(|(value, call)| Reply::new(call.script.name(), value))
            .collect())
    }

    /// Runs commands in one round trip, in a cluster one for each node. They must be safe to repeat,
    /// and all keys of one command must have the same hash tag. `what` names them in errors. The
    /// first error reply fails the whole read.
    ///
    /// In a cluster a command without a key runs on any primary.
    pub async fn read(
        &self,
        what: &'static str,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Reply>, LinkError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + self.response_timeout;
        let values = self.run_commands(commands, deadline).await?;
        let replies = values.into_iter().map(|value| Reply::new(what, value));
        replies.collect()
    }

    /// Runs one command, which must be safe to repeat. `what` names it in errors.
    pub async fn read_one(&self, what: &'static str, command: Cmd) -> Result<Reply, LinkError> {
        self.read(what, vec![command])
            .await?
            .pop()
            .ok_or_else(|| LinkError::no_answer(what))
    }

    async fn run_commands(
        &self,
        commands: Vec<Cmd>,
        deadline: Instant,
    ) -> Result<Vec<Value>, LinkError> {
        match &self.servers {
            Servers::One(node) => node.exchange(&pipeline(commands), deadline).await,
            Servers::Cluster(cluster) => Box::pin(cluster.run(&commands, deadline)).await,
        }
    }
}

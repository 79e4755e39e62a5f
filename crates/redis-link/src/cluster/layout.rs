//! The layout of a cluster: read when it is needed, and again when it is known to be stale.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::select_ok;
use redis::cmd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::slots::{self, Range};
use crate::LinkError;
use crate::access::Access;
use crate::address::Address;
use crate::connect::{Connector, Target};
use crate::node::{Node, pipeline};

/// Minimum time between the starts of two readings.
const INTERVAL: Duration = Duration::from_millis(50);

/// The primaries of all slots at one time.
pub(super) struct Layout {
    ranges: Vec<Range>,
    /// By range.
    nodes: Vec<Arc<Node>>,
}

impl Layout {
    /// The primary of a slot, or the first one without a slot. `None` if no node serves it.
    pub(super) fn node(&self, slot: Option<u16>) -> Option<Arc<Node>> {
        let index = match slot {
            None => 0,
            Some(slot) => slots::position(&self.ranges, slot)?,
        };
        self.nodes.get(index).cloned()
    }

    /// Each primary once, at least one, in the order of their first slots.
    pub(super) fn primaries(&self) -> Vec<Arc<Node>> {
        let mut primaries: Vec<Arc<Node>> = Vec::new();
        for node in &self.nodes {
            if !primaries.iter().any(|known| Arc::ptr_eq(known, node)) {
                primaries.push(node.clone());
            }
        }
        primaries
    }
}

/// The current layout, and the connections to all nodes.
pub(super) struct Layouts {
    access: Arc<Access>,
    seeds: Vec<Address>,
    response_timeout: Duration,
    changes: Arc<watch::Sender<u64>>,
    state: Mutex<State>,
    /// Held by the one request that reads the layout.
    reading: tokio::sync::Mutex<()>,
}

struct State {
    nodes: HashMap<Address, Arc<Node>>,
    layout: Option<Arc<Layout>>,
    is_stale: bool,
    /// This node knows a newer layout.
    ask_first: Option<Address>,
    read_at: Option<Instant>,
}

impl Layouts {
    pub(super) fn new(
        access: Arc<Access>,
        seeds: Vec<Address>,
        response_timeout: Duration,
    ) -> Self {
        Self {
            access,
            seeds,
            response_timeout,
            changes: Arc::default(),
            state: Mutex::new(State {
                nodes: HashMap::new(),
                layout: None,
                is_stale: false,
                ask_first: None,
                read_at: None,
            }),
            reading: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn set_stale(&self, ask: Option<Address>) {
        let mut state = self.lock();
        state.is_stale = true;
        state.ask_first = ask.or(state.ask_first.take());
    }

    /// The node at an address. All requests to it share its connection.
    pub(super) fn node(&self, address: &Address) -> Arc<Node> {
        let mut state = self.lock();
        if let Some(node) = state.nodes.get(address) {
            return node.clone();
        }
        let target = Target::Server(address.clone());
        let connector = Arc::new(Connector::new(self.access.clone(), target));
        let node = Node::new(connector, self.response_timeout, self.changes.clone());
        let node = Arc::new(node);
        state.nodes.insert(address.clone(), node.clone());
        node
    }

    /// The layout. Reads it unless a current one is known.
    pub(super) async fn current(&self, deadline: Instant) -> Result<Arc<Layout>, LinkError> {
        if let Some(layout) = self.known() {
            return Ok(layout);
        }
        let timed_out = |_| LinkError::timed_out(self.response_timeout);
        let _one = timeout_at(deadline, self.reading.lock())
            .await
            .map_err(timed_out)?;
        if let Some(layout) = self.known() {
            return Ok(layout);
        }
        let (ask_first, read_at) = {
            let mut state = self.lock();
            (state.ask_first.take(), state.read_at)
        };
        if let Some(read_at) = read_at {
            sleep_until((read_at + INTERVAL).min(deadline)).await;
        }
        let (answered, ranges) = self.read(ask_first, deadline).await?;
        Ok(self.replace(&answered, ranges))
    }

    fn known(&self) -> Option<Arc<Layout>> {
        let state = self.lock();
        state.layout.clone().filter(|_| !state.is_stale)
    }

    /// Reads the layout from a node that knows a newer one; else from the first node that answers.
    async fn read(
        &self,
        ask_first: Option<Address>,
        deadline: Instant,
    ) -> Result<(Address, Vec<Range>), LinkError> {
        self.lock().read_at = Some(Instant::now());
        if let Some(address) = ask_first {
            let soon = deadline.min(Instant::now() + self.response_timeout / 4);
            if let Ok(Ok(read)) = timeout_at(soon, self.read_from(address, deadline)).await {
                return Ok(read);
            }
        }
        let addresses = self.addresses();
        let reads = addresses
            .into_iter()
            .map(|address| self.read_from(address, deadline).boxed());
        let (read, _) = select_ok(reads).await?;
        Ok(read)
    }

    async fn read_from(
        &self,
        address: Address,
        deadline: Instant,
    ) -> Result<(Address, Vec<Range>), LinkError> {
        let mut slots = cmd("CLUSTER");
        slots.arg("SLOTS");
        let replies = self
            .node(&address)
            .exchange(&pipeline([slots]), deadline)
            .await?;
        let reply = replies.into_iter().next();
        let reply = reply.ok_or_else(|| LinkError::no_answer("CLUSTER SLOTS"))?;
        let reply = reply.extract_error()?;
        match slots::parse(&reply, &address) {
            Some(ranges) => Ok((address, ranges)),
            None => Err(LinkError::Unavailable(format!(
                "the cluster node {address} knows no slots"
            ))),
        }
    }

    /// The nodes of the last layout, and those of the configuration.
    fn addresses(&self) -> Vec<Address> {
        let state = self.lock();
        let mut addresses: Vec<Address> = state.nodes.keys().cloned().collect();
        drop(state);
        for seed in &self.seeds {
            if !addresses.contains(seed) {
                addresses.push(seed.clone());
            }
        }
        addresses
    }

    /// Nodes that have left the cluster lose their connections.
    fn replace(&self, answered: &Address, ranges: Vec<Range>) -> Arc<Layout> {
        let nodes: Vec<_> = ranges
            .iter()
            .map(|range| self.node(&range.primary))
            .collect();
        for replica in ranges.iter().flat_map(|range| &range.replicas) {
            self.node(replica);
        }
        let layout = Arc::new(Layout { ranges, nodes });
        let mut state = self.lock();
        let is_known = state
            .layout
            .as_ref()
            .is_some_and(|known| known.ranges == layout.ranges);
        state.nodes.retain(|address, _| {
            let in_layout =
                |range: &Range| range.primary == *address || range.replicas.contains(address);
            self.seeds.contains(address) || layout.ranges.iter().any(in_layout)
        });
        state.layout = Some(layout.clone());
        state.is_stale = false;
        drop(state);
        if !is_known {
            tracing::info!(
                node = %answered,
                primaries = layout.primaries().len(),
                "the slots of the Redis cluster are read"
            );
            self.changes.send_modify(|count| *count += 1);
        }
        layout
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

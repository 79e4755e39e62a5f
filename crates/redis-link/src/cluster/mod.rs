//! A cluster: the node of each slot, and what happens when slots or primaries move.
//!
//! Each node is a server like any other: it has a connection of its own, which is bounded, logged in
//! and replaced as a single server's. This module decides which node a request goes to. The client
//! library has a cluster client, too; a redirection inside a pipeline, a silent node and a login that
//! changes are not its concern, and here they are the point.

mod layout;
mod redirect;
mod request;
mod slots;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use redis::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::LinkError;
use super::access::Access;
use super::address::Address;
use super::node::{Node, pipeline};
use layout::{Layout, Layouts};
pub(crate) use redirect::{Redirect, is_moving};
use request::Request;
pub(crate) use request::key;

/// How often requests are sent before their last reply counts.
const ATTEMPTS: u32 = 8;
/// Pause before requests are sent again that no node could carry out.
const PAUSE: Duration = Duration::from_millis(100);

/// The nodes of a cluster.
pub(crate) struct Cluster {
    layouts: Layouts,
    /// Spreads subscriptions over the primaries.
    turn: AtomicUsize,
}

/// A request that is still to be carried out.
struct Open {
    index: usize,
    /// Not where its slot is, but here, behind `ASKING`.
    ask: Option<Address>,
}

/// Requests for one node.
struct Batch {
    node: Arc<Node>,
    asking: bool,
    indexes: Vec<usize>,
}

impl Cluster {
    /// A cluster that is found through any of these nodes. Connects on first use.
    pub(super) fn new(
        access: Arc<Access>,
        seeds: Vec<Address>,
        response_timeout: Duration,
    ) -> Self {
        Self {
            layouts: Layouts::new(access, seeds, response_timeout),
            turn: AtomicUsize::new(0),
        }
    }

    /// Changes when a connection is replaced, or another layout is found.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.layouts.changes()
    }

    /// The next request reads the layout again, from this node first.
    pub(super) fn set_stale(&self, ask: Option<Address>) {
        self.layouts.set_stale(ask);
    }

    /// The node of a key; of any slot without a key.
    pub(super) async fn node_of(
        &self,
        key: Option<&[u8]>,
        deadline: Instant,
    ) -> Result<Arc<Node>, LinkError> {
        let layout = self.layouts.current(deadline).await?;
        self.serving(&layout, key.map(slots::of_key))
    }

    /// Another primary in each call.
    pub(super) async fn any_node(&self, deadline: Instant) -> Result<Arc<Node>, LinkError> {
        let primaries = self.primaries(deadline).await?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Ok(primaries[turn % primaries.len()].clone())
    }

    /// All primaries with slots, at least one, in the order of their first slots.
    pub(super) async fn primaries(&self, deadline: Instant) -> Result<Vec<Arc<Node>>, LinkError> {
        Ok(self.layouts.current(deadline).await?.primaries())
    }

    /// Runs requests, one round trip for each node. Repeats those that were redirected, and those of
    /// a node that failed before the deadline, where they are served by then.
    pub(super) async fn run<R: Request>(
        &self,
        requests: &[R],
        deadline: Instant,
    ) -> Result<Vec<Value>, LinkError> {
        let mut values = vec![Value::Nil; requests.len()];
        let mut open: Vec<Open> = (0..requests.len()).map(Open::at_its_slot).collect();
        let mut attempt = 1;
        loop {
            let batches = self.batches(requests, open, deadline).await?;
            let runs = batches.iter().map(|batch| batch.run(requests, deadline));
            let done = join_all(runs).await;

            open = Vec::new();
            let (mut failure, mut must_wait) = (None, false);
            for (batch, replies) in batches.into_iter().zip(done) {
                match replies {
                    Ok(replies) => {
                        for (index, reply) in batch.indexes.into_iter().zip(replies) {
                            let redirect = Redirect::of(&reply);
                            values[index] = reply;
                            if let Some(redirect) = redirect {
                                must_wait |= redirect == Redirect::Later;
                                open.push(self.redirected(index, redirect));
                            }
                        }
                    }
                    Err(error) => {
                        self.set_stale(None);
                        must_wait = true;
                        failure = Some(error);
                        open.extend(batch.indexes.into_iter().map(Open::at_its_slot));
                    }
                }
            }
            let again_at = Instant::now() + if must_wait { PAUSE } else { Duration::ZERO };
            let is_last = attempt == ATTEMPTS || again_at >= deadline;
            match failure {
                Some(error) if is_last || !matches!(error, LinkError::Unavailable(_)) => {
                    return Err(error);
                }
                _ if is_last || open.is_empty() => return Ok(values),
                _ => sleep_until(again_at).await,
            }
            attempt += 1;
        }
    }

    /// Where a redirected request goes next.
    fn redirected(&self, index: usize, redirect: Redirect) -> Open {
        match redirect {
            Redirect::Ask(address) => {
                let ask = Some(address);
                return Open { index, ask };
            }
            Redirect::Moved(to) => self.set_stale(to),
            Redirect::Later => self.set_stale(None),
        }
        Open::at_its_slot(index)
    }

    /// Requests by node.
    async fn batches<R: Request>(
        &self,
        requests: &[R],
        open: Vec<Open>,
        deadline: Instant,
    ) -> Result<Vec<Batch>, LinkError> {
        let layout = self.layouts.current(deadline).await?;
        let mut batches: Vec<Batch> = Vec::new();
        for Open { index, ask } in open {
            let asking = ask.is_some();
            let node = match ask {
                Some(address) => self.layouts.node(&address),
                None => self.serving(&layout, requests[index].slot())?,
            };
            let known = batches
                .iter_mut()
                .find(|batch| batch.asking == asking && Arc::ptr_eq(&batch.node, &node));
            match known {
                Some(batch) => batch.indexes.push(index),
                None => batches.push(Batch {
                    node,
                    asking,
                    indexes: vec![index],
                }),
            }
        }
        Ok(batches)
    }

    fn serving(&self, layout: &Layout, slot: Option<u16>) -> Result<Arc<Node>, LinkError> {
        layout.node(slot).ok_or_else(|| {
            self.set_stale(None);
            LinkError::Unavailable("no node of the cluster serves the slot of a key".into())
        })
    }
}

impl Open {
    fn at_its_slot(index: usize) -> Self {
        Self { index, ask: None }
    }
}

impl Batch {
    async fn run<R: Request>(
        &self,
        requests: &[R],
        deadline: Instant,
    ) -> Result<Vec<Value>, LinkError> {
        let batch: Vec<&R> = self.indexes.iter().map(|index| &requests[*index]).collect();
        if !self.asking {
            return R::run(&self.node, &batch, deadline).await;
        }
        // In one pipeline: `ASKING` applies to the next command of the connection.
        let mut commands = Vec::new();
        let mut lasts = Vec::with_capacity(batch.len());
        for request in batch {
            commands.extend(request.asking());
            lasts.push(commands.len() - 1);
        }
        let replies = self.node.exchange(&pipeline(commands), deadline).await?;
        let replies = replies.into_iter().enumerate();
        Ok(replies
            .filter(|(index, _)| lasts.contains(index))
            .map(|(_, reply)| reply)
            .collect())
    }
}

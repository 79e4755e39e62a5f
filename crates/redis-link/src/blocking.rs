//! A connection for blocking reads.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::{Instant, timeout_at};

use super::cluster::{Redirect, key};
use super::connect::Connection;
use super::failover::refusal;
use super::link::Servers;
use super::node::{Node, is_noscript, pipeline};
use super::script::Call;
use super::shared_connection::exchange;
use super::{Link, LinkError, Reply};

/// A connection for one reader. On the shared connection a blocking read would delay all other
/// calls, and the response timeout would cut it.
///
/// It connects on first use and is closed after any error, and when a read is dropped: a late reply
/// must not be taken for the reply to the next read. It is also closed when the link replaces its
/// shared connection, and the link's connection is replaced when this one fails: both lead to the
/// same server.
#[derive(Debug)]
pub struct BlockingConnection {
    pub(super) link: Link,
    pub(super) kept: Option<Kept>,
}

/// A connection to the server of the last read.
pub(super) struct Kept {
    connection: Connection,
    node: Arc<Node>,
    /// That of the node's shared connection when this one was made.
    generation: u64,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl BlockingConnection {
    /// Runs a command that the server may hold for `block`, and a script after it in the same round
    /// trip; both have the same key. Ends within `block` plus the response timeout.
    ///
    /// Returns the command's reply unchanged, server errors included.
    pub async fn run(
        &mut self,
        command: Cmd,
        block: Duration,
        then: Option<Call>,
    ) -> Result<(Value, Option<Reply>), LinkError> {
        // this function bounds each read: the library has no bound for a blocking read
        let max = block + self.link.response_timeout;
        let deadline = Instant::now() + max;
        let values = match self.link.servers.clone() {
            Servers::One(node) => {
                self.read(node, &command, then.as_ref(), deadline, max)
                    .await?
            }
            Servers::Cluster(cluster) => {
                let node = cluster.node_of(key(&command), deadline).await?;
                let read = self
                    .read(node, &command, then.as_ref(), deadline, max)
                    .await;
                let moved = match &read {
                    Ok(values) => values.first().and_then(Redirect::of),
                    Err(_) => Some(Redirect::Later),
                };
                match moved {
                    Some(Redirect::Moved(to)) => {
                        cluster.set_stale(to);
                        let node = cluster.node_of(key(&command), deadline).await?;
                        self.read(node, &command, then.as_ref(), deadline, max)
                            .await?
                    }
                    Some(_) => {
                        cluster.set_stale(None);
                        read?
                    }
                    None => read?,
                }
            }
        };
        replies(values, then)
    }

    /// One round trip on the connection to this node.
    async fn read(
        &mut self,
        node: Arc<Node>,
        command: &Cmd,
        then: Option<&Call>,
        deadline: Instant,
        max: Duration,
    ) -> Result<Vec<Value>, LinkError> {
        let shared = &node.connection;
        let generation = shared.current().number;
        let kept = self
            .kept
            .take()
            .filter(|kept| kept.generation == generation && Arc::ptr_eq(&kept.node, &node));
        let work = async {
            let mut open = match kept {
                Some(kept) => kept.connection,
                None => shared.connector.connect().await?,
            };
            let call = then.map(Call::as_script);
            let commands = pipeline([command.clone()].into_iter().chain(call));
            let mut values = exchange(&mut open, &commands).await?;
            if let (Some(call), true) = (then, values.last().is_some_and(is_noscript)) {
                let answer = exchange(&mut open, &pipeline(call.loading())).await?.pop();
                values.pop();
                values.extend(answer);
            }
            Ok::<_, LinkError>((open, values))
        };
        let Ok(done) = timeout_at(deadline, work).await else {
            let error = LinkError::timed_out(max);
            shared.replace(generation, &error);
            return Err(error);
        };
        let (connection, values) = done?;
        match refusal(&values) {
            Some(error) => shared.replace(generation, error),
            None => {
                self.kept = Some(Kept {
                    connection,
                    node,
                    generation,
                });
            }
        }
        Ok(values)
    }
}

fn replies(values: Vec<Value>, then: Option<Call>) -> Result<(Value, Option<Reply>), LinkError> {
    let mut values = values.into_iter();
    let first = values
        .next()
        .ok_or_else(|| LinkError::no_answer("a command"))?;
    let reply = then.map(|call| {
        let value = values
            .next()
            .ok_or_else(|| LinkError::no_answer("a call"))?;
        Reply::new(call.script.name(), value)
    });
    Ok((first, reply.transpose()?))
}

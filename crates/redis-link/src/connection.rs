//! The link: connects on first use, reconnects when the server is unusable, bounds every exchange.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, ServerErrorKind, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::blocking::BlockingConnection;
use super::failover::{error_needs_reconnect, refusal, value_needs_reconnect};
use super::script::Call;
use super::shared_connection::SharedConnection;
use super::{LinkError, Reply, address};

/// Connections that one exchange may try: the kept one may be dead, and a restarting server may
/// refuse the next.
const ATTEMPTS: u32 = 3;

/// One multiplexed connection to Redis. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Link {
    client: Client,
    connection: Arc<SharedConnection>,
    response_timeout: Duration,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// A link to `redis://host:port`. It connects on first use. Needs a tokio runtime.
    ///
    /// `response_timeout` bounds every call, reconnecting included.
    pub fn open(url: &str, response_timeout: Duration) -> Result<Self, LinkError> {
        let client = address::client(url)?;
        // `exchange` applies the timeout: it also replaces the connection, which the library does
        // not.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(response_timeout));
        let connection = Arc::new(SharedConnection::new(client.clone(), config));
        Ok(Self {
            client,
            connection,
            response_timeout,
        })
    }

    /// A connection of its own to the same server, for blocking reads.
    pub fn blocking(&self) -> BlockingConnection {
        BlockingConnection::new(self.clone())
    }

    /// Runs one script.
    pub async fn run(&self, call: Call) -> Result<Reply, LinkError> {
        let mut replies = self.run_all(vec![call]).await?;
        replies
            .pop()
            .unwrap_or_else(|| Err(LinkError::Protocol("no answer to a call".into())))
    }

    /// Runs many scripts in one round trip. They are independent: one that fails does not stop the
    /// others. After an outer error any of them may have been applied.
    pub async fn run_all(
        &self,
        calls: Vec<Call>,
    ) -> Result<Vec<Result<Reply, LinkError>>, LinkError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.run_loading(&calls).await?;
        Ok(values
            .into_iter()
            .zip(calls)
            .map(|(value, call)| Reply::new(call.script().name(), value))
            .collect())
    }

    /// Runs commands in one round trip; they must be safe to repeat. `what` names them in errors.
    /// The first error reply fails the whole read.
    pub async fn read(
        &self,
        what: &'static str,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Reply>, LinkError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command);
        }
        let values = self
            .exchange(&pipeline, Instant::now() + self.response_timeout)
            .await?;
        values
            .into_iter()
            .map(|value| Reply::new(what, value))
            .collect()
    }

    /// Runs one command, which must be safe to repeat. `what` names it in errors.
    pub async fn read_one(&self, what: &'static str, command: Cmd) -> Result<Reply, LinkError> {
        self.read(what, vec![command])
            .await?
            .pop()
            .ok_or_else(|| LinkError::Protocol(format!("no answer to {what}")))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn response_timeout(&self) -> Duration {
        self.response_timeout
    }

    /// The generation of the shared connection; changes with each replacement.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.connection.generations()
    }

    /// Replaces the shared connection if it is still of this generation.
    pub(super) fn replace(&self, generation: u64, reason: &dyn Display) {
        self.connection.replace(generation, reason);
    }

    /// Runs the calls; loads missing scripts and repeats the calls that needed them.
    async fn run_loading(&self, calls: &[Call]) -> Result<Vec<Value>, LinkError> {
        let deadline = Instant::now() + self.response_timeout;
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for call in calls {
            pipeline.add_command(call.command().clone());
        }
        let mut values = self.exchange(&pipeline, deadline).await?;
        let missed: Vec<usize> = (0..values.len())
            .filter(|n| is_noscript(&values[*n]))
            .collect();
        if missed.is_empty() {
            return Ok(values);
        }
        let mut again = Pipeline::with_capacity(missed.len() * 2);
        for n in &missed {
            again.add_command(calls[*n].script().load_command());
            again.add_command(calls[*n].command().clone());
        }
        let repeated = self.exchange(&again, deadline).await?;
        for (n, value) in missed
            .into_iter()
            .zip(repeated.into_iter().skip(1).step_by(2))
        {
            values[n] = value;
        }
        Ok(values)
    }

    /// One round trip. Replaces a connection that is dead, silent, or leads to an unusable server,
    /// and repeats the commands on the new one unless some of them were, or may still be, applied.
    async fn exchange(
        &self,
        pipeline: &Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, LinkError> {
        let mut attempt = 1;
        loop {
            let connection = self.connection.current();
            let began = Instant::now();
            let Ok(answer) = timeout_at(deadline, connection.exchange(pipeline)).await else {
                let error = LinkError::timed_out(self.response_timeout);
                // A connection that had only the rest of the time may be healthy.
                if began.elapsed() >= self.response_timeout / 2 {
                    self.replace(connection.number(), &error);
                }
                return Err(error);
            };
            // Why this connection must be replaced, if it must, and whether repeating is safe.
            let (reason, may_repeat): (Option<&dyn Display>, bool) = match &answer {
                Err(error) => (
                    Some(error),
                    error.is_io_error() || error_needs_reconnect(error),
                ),
                Ok(Err(error)) if error_needs_reconnect(error) || error.code().is_none() => (
                    Some(error),
                    error_needs_reconnect(error) || error.is_io_error(),
                ),
                Ok(Err(_)) => (None, false),
                Ok(Ok(values)) => (
                    refusal(values).map(|error| error as &dyn Display),
                    values.iter().all(value_needs_reconnect),
                ),
            };
            match reason {
                Some(reason) => self.replace(connection.number(), reason),
                None => connection.mark_used(),
            }
            if reason.is_none() || !may_repeat || attempt == ATTEMPTS {
                return Ok(answer??);
            }
            attempt += 1;
        }
    }
}

pub(super) fn is_noscript(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

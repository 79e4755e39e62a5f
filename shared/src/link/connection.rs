//! The connection: made on first use, replaced when it is of no use, every exchange bounded in time.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, ServerErrorKind, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::script::Call;
use super::shared_connection::SharedConnection;
use super::unfit::{is_unfit_error, is_unfit_value, refusal};
use super::waiting::Waiting;
use super::{LinkError, Reply, address};

/// Connections that one exchange may try: the kept one may be dead, and a server that restarts may refuse the next.
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
    /// Prepares a connection to `redis://host:port`; it is made on first use, so Redis may be away at start. Needs a tokio runtime.
    ///
    /// `response_timeout` bounds every verb, reconnecting included. An address that asks for TLS is refused.
    pub fn open(url: &str, response_timeout: Duration) -> Result<Self, LinkError> {
        let client = address::client(url)?;
        // The bound of each exchange is ours: after it the connection is given up, which the library would not do.
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

    /// A connection of its own to the same Redis, for reads that wait there.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting::new(self.clone())
    }

    /// Runs one script.
    pub(crate) async fn run(&self, call: Call) -> Result<Reply, LinkError> {
        let mut replies = self.run_all(vec![call]).await?;
        replies
            .pop()
            .unwrap_or_else(|| Err(LinkError::Protocol("no answer to a call".into())))
    }

    /// Runs many scripts in one round trip. They are independent: one that fails does not stop the others.
    ///
    /// The outer error says that nothing is known of any of them.
    pub(crate) async fn run_all(
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

    /// Runs plain commands, which must be fit to be repeated, in one round trip; the first that fails fails all.
    pub(crate) async fn read(
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

    /// For connections of another kind.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn response_timeout(&self) -> Duration {
        self.response_timeout
    }

    /// The number of the shared connection, now and whenever it is replaced.
    pub(super) fn numbers(&self) -> watch::Receiver<u64> {
        self.connection.numbers()
    }

    /// A connection made while the shared one had this number has met a server that is of no use: the shared one is replaced as well.
    pub(super) fn replace(&self, number: u64, reason: &dyn Display) {
        self.connection.replace(number, reason);
    }

    /// Runs the calls; loads scripts that the server does not know and repeats exactly the calls that missed them.
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

    /// One round trip. A connection that turns out to be dead, silent, or to lead to a server of no use is replaced; the commands are
    /// repeated on the new one unless some of them were carried out, or may still be.
    async fn exchange(
        &self,
        pipeline: &Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, LinkError> {
        let mut attempt = 1;
        loop {
            let connection = self.connection.latest();
            let began = Instant::now();
            let Ok(answer) = timeout_at(deadline, connection.exchange(pipeline)).await else {
                let error = LinkError::silent(self.response_timeout);
                // One that had little of the time, because others used it up, may be well.
                if began.elapsed() >= self.response_timeout / 2 {
                    self.replace(connection.number(), &error);
                }
                return Err(error);
            };
            // Why this connection is of no use, if so; and whether it is known that nothing was carried out, or may be repeated.
            let (reason, may_repeat): (Option<&dyn Display>, bool) = match &answer {
                Err(error) => (Some(error), error.is_io_error() || is_unfit_error(error)),
                Ok(Err(error)) if is_unfit_error(error) || error.code().is_none() => {
                    (Some(error), is_unfit_error(error) || error.is_io_error())
                }
                Ok(Err(_)) => (None, false),
                Ok(Ok(values)) => (
                    refusal(values).map(|error| error as &dyn Display),
                    values.iter().all(is_unfit_value),
                ),
            };
            match reason {
                Some(reason) => self.replace(connection.number(), reason),
                None => connection.prove(),
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

//! The connection: made on first use, replaced when it dies, every exchange bounded in time.

use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};

use super::script::Call;
use super::waiting::Waiting;
use super::{LinkError, Reply};

/// One multiplexed connection to Redis. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Link {
    client: Client,
    connection: ConnectionManager,
    response_timeout: Duration,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("response_timeout", &self.response_timeout).finish_non_exhaustive()
    }
}

impl Link {
    /// Prepares a connection to `redis://host:port`; it is made on first use, so Redis may be away at start. Needs a tokio runtime.
    ///
    /// `response_timeout` bounds every verb, reconnecting included.
    pub fn open(url: &str, response_timeout: Duration) -> Result<Self, LinkError> {
        // The address is not repeated: it may hold a password.
        let client = Client::open(url).map_err(|e| LinkError::Protocol(format!("the address of Redis is not usable: {e}")))?;
        // The manager's own retries are few and quick: the caller's time is bounded here, and the next verb tries again anyway.
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(response_timeout))
            .set_connection_timeout(Some(response_timeout))
            .set_number_of_retries(2)
            .set_min_delay(Duration::from_millis(10))
            .set_max_delay(Duration::from_millis(200));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { client, connection, response_timeout })
    }

    /// A connection of its own to the same Redis, for reads that wait there.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting::new(self.client.clone(), self.response_timeout)
    }

    /// Runs one script.
    pub(crate) async fn run(&self, call: Call) -> Result<Reply, LinkError> {
        let mut replies = self.run_all(vec![call]).await?;
        replies.pop().unwrap_or_else(|| Err(LinkError::Protocol("no answer to a call".into())))
    }

    /// Runs many scripts in one round trip. They are independent: one that fails does not stop the others.
    ///
    /// The outer error says that nothing is known of any of them.
    pub(crate) async fn run_all(&self, calls: Vec<Call>) -> Result<Vec<Result<Reply, LinkError>>, LinkError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.bounded(self.run_loading(&calls)).await?;
        Ok(values.into_iter().zip(calls).map(|(value, call)| Reply::new(call.script().name(), value)).collect())
    }

    /// Runs plain commands, which must be fit to be repeated, in one round trip; the first that fails fails all.
    pub(crate) async fn read(&self, what: &'static str, commands: Vec<Cmd>) -> Result<Vec<Reply>, LinkError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command);
        }
        let values = self.bounded(self.exchange(&pipeline)).await?;
        values.into_iter().map(|value| Reply::new(what, value)).collect()
    }

    /// For connections of another kind.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn bounded<T>(&self, work: impl Future<Output = RedisResult<T>>) -> Result<T, LinkError> {
        match tokio::time::timeout(self.response_timeout, work).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(LinkError::Unavailable(format!("no answer within {} ms", self.response_timeout.as_millis()))),
        }
    }

    /// Runs the calls; loads scripts that the server does not know and repeats exactly the calls that missed them.
    async fn run_loading(&self, calls: &[Call]) -> RedisResult<Vec<Value>> {
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for call in calls {
            pipeline.add_command(call.command().clone());
        }
        let mut values = self.exchange(&pipeline).await?;
        let missed: Vec<usize> = (0..values.len()).filter(|n| is_noscript(&values[*n])).collect();
        if missed.is_empty() {
            return Ok(values);
        }
        let mut again = Pipeline::with_capacity(missed.len() * 2);
        for n in &missed {
            again.add_command(calls[*n].script().load_command());
            again.add_command(calls[*n].command().clone());
        }
        let repeated = self.exchange(&again).await?;
        for (n, value) in missed.into_iter().zip(repeated.into_iter().skip(1).step_by(2)) {
            values[n] = value;
        }
        Ok(values)
    }

    /// One round trip; repeated once when the connection turns out to be dead (Redis was restarted since).
    async fn exchange(&self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let count = pipeline.len();
        let mut connection = self.connection.clone();
        match connection.req_packed_commands(pipeline, 0, count).await {
            Err(error) if gone(&error) => connection.req_packed_commands(pipeline, 0, count).await,
            other => other,
        }
    }
}

fn gone(error: &RedisError) -> bool {
    error.is_connection_dropped() && !error.is_connection_refusal()
}

pub(super) fn is_noscript(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

//! The link: connects on first use, reconnects when the server is unusable, bounds every exchange.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Cmd, Pipeline, ServerErrorKind, Value};
use tokio::time::{Instant, timeout_at};

use super::blocking::BlockingConnection;
use super::failover::{error_needs_reconnect, refusal, refused};
use super::script::Call;
use super::shared_connection::SharedConnection;
use super::{LinkError, Reply, address, library};

/// Connections that one exchange may try: the kept one may be dead, and a restarting server may
/// refuse the next.
const ATTEMPTS: u32 = 3;

/// One multiplexed connection to Redis. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Link {
    pub(super) connection: Arc<SharedConnection>,
    pub(super) response_timeout: Duration,
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
        // `exchange` applies the timeout: it also replaces the connection, which the library does
        // not.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(response_timeout));
        let connection = SharedConnection::new(address::client(url)?, config);
        Ok(Self {
            connection: Arc::new(connection),
            response_timeout,
        })
    }

    /// A connection of its own to the same server, for blocking reads.
    pub fn blocking(&self) -> BlockingConnection {
        BlockingConnection {
            link: self.clone(),
            connection: None,
        }
    }

    /// Runs one script.
    pub async fn run(&self, call: Call) -> Result<Reply, LinkError> {
        let mut replies = self.run_all(vec![call]).await?;
        replies
            .pop()
            .unwrap_or_else(|| Err(LinkError::no_answer("a call")))
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
            .map(|(value, call)| Reply::new(call.script.name(), value))
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
        let deadline = Instant::now() + self.response_timeout;
        let values = self.exchange(&pipeline(commands), deadline).await?;
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

    /// Runs the calls; loads missing functions and scripts, and repeats the calls that needed them.
    async fn run_loading(&self, calls: &[Call]) -> Result<Vec<Value>, LinkError> {
        let deadline = Instant::now() + self.response_timeout;
        let as_scripts = self.connection.without_functions();
        let command = if as_scripts {
            Call::as_script
        } else {
            Call::command
        };
        let commands = pipeline(calls.iter().map(command));
        let mut values = self.exchange(&commands, deadline).await?;
        self.load_functions(calls, &mut values, deadline).await?;

        // A function that cannot be loaded runs as the script that it is made of.
        let missed: Vec<usize> = (0..values.len())
            .filter(|n| {
                let has_function = calls[*n].script.library().is_some();
                is_noscript(&values[*n]) || has_function && library::is_missing(&values[*n])
            })
            .collect();
        let again = pipeline(missed.iter().flat_map(|n| calls[*n].loading()));
        for (n, (_, value)) in missed.into_iter().zip(self.pairs(&again, deadline).await?) {
            values[n] = value;
        }
        Ok(values)
    }

    /// Loads the functions that the server lacks, and repeats their calls.
    async fn load_functions(
        &self,
        calls: &[Call],
        values: &mut [Value],
        deadline: Instant,
    ) -> Result<(), LinkError> {
        let libraries = (0..values.len())
            .filter(|n| library::is_missing(&values[*n]))
            .filter_map(|n| Some((n, calls[n].script.library()?)));
        let (missed, again): (Vec<usize>, Vec<[Cmd; 2]>) = libraries
            .map(|(n, library)| (n, calls[n].loading_function(library)))
            .unzip();
        let again = pipeline(again.into_iter().flatten());
        for (n, (loaded, value)) in missed.into_iter().zip(self.pairs(&again, deadline).await?) {
            if library::has_none(&loaded) || library::has_none(&value) {
                self.connection.set_without_functions();
            }
            values[n] = value;
        }
        Ok(())
    }

    /// One round trip of commands in pairs; none without commands.
    async fn pairs(
        &self,
        commands: &Pipeline,
        deadline: Instant,
    ) -> Result<Vec<(Value, Value)>, LinkError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut replies = self.exchange(commands, deadline).await?.into_iter();
        let mut pairs = Vec::with_capacity(replies.len() / 2);
        while let (Some(first), Some(second)) = (replies.next(), replies.next()) {
            pairs.push((first, second));
        }
        Ok(pairs)
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
                    self.connection.replace(connection.number, &error);
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
                    values.iter().all(|value| refused(value).is_some()),
                ),
            };
            match reason {
                Some(reason) => self.connection.replace(connection.number, reason),
                None => connection.mark_used(),
            }
            if reason.is_none() || !may_repeat || attempt == ATTEMPTS {
                return Ok(answer??);
            }
            attempt += 1;
        }
    }
}

pub(super) fn pipeline(commands: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline
}

pub(super) fn is_noscript(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

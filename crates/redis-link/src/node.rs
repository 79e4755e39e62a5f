//! One server: reconnects when it is unusable, loads what it lacks, bounds every exchange.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, ServerErrorKind, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::access::ConnectError;
use super::connect::Connector;
use super::failover::{error_needs_reconnect, needs_login, refusal, refused};
use super::refusal::RefusalReason;
use super::script::Call;
use super::shared_connection::SharedConnection;
use super::{LinkError, library};

/// Connections that one exchange may try: the kept one may be dead, and a restarting server may
/// refuse the next.
const ATTEMPTS: u32 = 3;

/// One server, and the connection that all its calls share.
pub(super) struct Node {
    pub(super) connection: SharedConnection,
    pub(super) response_timeout: Duration,
}

impl Node {
    /// Connects on first use.
    pub(super) fn new(
        connector: Arc<Connector>,
        response_timeout: Duration,
        changes: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self {
            connection: SharedConnection::new(connector, changes),
            response_timeout,
        }
    }

    /// Runs the calls; loads missing functions and scripts, and repeats the calls that needed them.
    pub(super) async fn run_loading(
        &self,
        calls: &[Call],
        deadline: Instant,
    ) -> Result<Vec<Value>, LinkError> {
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
    pub(super) async fn exchange(
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
                Err(error) => (Some(error), may_connect_again(error)),
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
            let needs_login =
                reason.is_some() && matches!(&answer, Ok(Ok(values)) if needs_login(values));
            let connector = &self.connection.connector;
            if needs_login {
                connector.access.set_login_refused();
            }
            match reason {
                Some(reason) => self.connection.replace(connection.number, reason),
                None => connection.mark_used(),
            }
            if reason.is_none() || !may_repeat || attempt == ATTEMPTS {
                if needs_login {
                    let reason = RefusalReason::LoginRequired;
                    return Err(connector.access.refusal(&connector.server(), reason).into());
                }
                return Ok(answer??);
            }
            attempt += 1;
        }
    }
}

/// Another attempt may succeed at once: a server that restarts, or an address that leads elsewhere.
fn may_connect_again(error: &ConnectError) -> bool {
    match error {
        ConnectError::Redis(error) => error.is_io_error() || error_needs_reconnect(error),
        ConnectError::Refused(_) | ConnectError::Login(_) => false,
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

//! A connection for blocking reads.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, Pipeline, Value};

use super::connection::is_noscript;
use super::failover::refusal;
use super::script::Call;
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
    link: Link,
    /// The connection, and the link's generation when it was made.
    connection: Option<(MultiplexedConnection, u64)>,
}

impl BlockingConnection {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            connection: None,
        }
    }

    /// Runs a command that the server may hold for `block`, and a script after it in the same round
    /// trip. Ends within `block` plus the response timeout.
    ///
    /// Returns the command's reply unchanged, server errors included.
    pub async fn run(
        &mut self,
        command: Cmd,
        block: Duration,
        then: Option<Call>,
    ) -> Result<(Value, Option<Reply>), LinkError> {
        let max = block + self.link.response_timeout();
        let generation = *self.link.generations().borrow();
        let kept = self
            .connection
            .take()
            .filter(|(_, made_in)| *made_in == generation);
        let work = async {
            let mut open = match kept {
                Some((open, _)) => open,
                None => {
                    self.link
                        .client()
                        .get_multiplexed_async_connection_with_config(&self.config())
                        .await?
                }
            };
            let mut pipeline = Pipeline::with_capacity(2);
            pipeline.add_command(command);
            if let Some(call) = &then {
                pipeline.add_command(call.command().clone());
            }
            let mut values = exchange(&mut open, &pipeline).await?;
            if let (Some(call), true) = (&then, values.last().is_some_and(is_noscript)) {
                let mut again = Pipeline::with_capacity(2);
                again
                    .add_command(call.script().load_command())
                    .add_command(call.command().clone());
                let answer = exchange(&mut open, &again).await?.pop();
                values.pop();
                values.extend(answer);
            }
            Ok::<_, LinkError>((open, values))
        };
        let Ok(done) = tokio::time::timeout(max, work).await else {
            let error = LinkError::timed_out(max);
            self.link.replace(generation, &error);
            return Err(error);
        };
        let (open, values) = done?;
        match refusal(&values) {
            Some(error) => self.link.replace(generation, error),
            None => self.connection = Some((open, generation)),
        }
        let mut values = values.into_iter();
        let first = values
            .next()
            .ok_or_else(|| LinkError::Protocol("no answer to a command".into()))?;
        let reply = match then {
            None => None,
            Some(call) => {
                let value = values
                    .next()
                    .ok_or_else(|| LinkError::Protocol("no answer to a call".into()))?;
                Some(Reply::new(call.script().name(), value)?)
            }
        };
        Ok((first, reply))
    }

    fn config(&self) -> AsyncConnectionConfig {
        // `run` bounds each read: the library has no bound for a blocking read.
        AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(self.link.response_timeout()))
    }
}

async fn exchange(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, LinkError> {
    Ok(connection
        .req_packed_commands(pipeline, 0, pipeline.len())
        .await?)
}

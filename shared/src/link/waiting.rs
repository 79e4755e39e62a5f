//! A connection for reads that wait at the server until something comes.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, Pipeline, Value};

use super::connection::is_noscript;
use super::script::Call;
use super::unfit::refusal;
use super::{Link, LinkError, Reply};

/// One connection, used by one reader at a time. Made on first use; given up after any error, and when a read is abandoned: what the
/// server would still answer to that read must not be taken for the answer to the next. Given up together with the link's shared
/// connection as well: both lead to the same server, and whichever finds it of no use speaks for the other.
#[derive(Debug)]
pub(crate) struct Waiting {
    link: Link,
    /// The connection, and the number of the link's shared one when it was made.
    connection: Option<(MultiplexedConnection, u64)>,
}

impl Waiting {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            connection: None,
        }
    }

    /// Runs a command that the server may hold for `block`, and a script right behind it in the same round trip.
    ///
    /// Ends within `block` plus the response timeout. What the command answered is handed over as it is, errors of the server's included.
    pub(crate) async fn run(
        &mut self,
        command: Cmd,
        block: Duration,
        then: Option<Call>,
    ) -> Result<(Value, Option<Reply>), LinkError> {
        let most = block + self.link.response_timeout();
        let number = *self.link.numbers().borrow();
        let kept = self
            .connection
            .take()
            .filter(|(_, made_at)| *made_at == number);
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
        let Ok(done) = tokio::time::timeout(most, work).await else {
            let error = LinkError::silent(most);
            self.link.replace(number, &error);
            return Err(error);
        };
        let (open, values) = done?;
        match refusal(&values) {
            Some(error) => self.link.replace(number, error),
            None => self.connection = Some((open, number)),
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
        // The bound of each read is ours: only we know how long it may wait.
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

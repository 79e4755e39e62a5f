//! A connection for blocking reads.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Value};

use super::connection::{is_noscript, pipeline};
use super::failover::refusal;
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
    /// The connection, and the link's generation when it was made.
    pub(super) connection: Option<(MultiplexedConnection, u64)>,
}

impl BlockingConnection {
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
        let Link {
            connection: shared,
            response_timeout,
        } = &self.link;
        // this function bounds each read: the library has no bound for a blocking read
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(*response_timeout));
        let max = block + *response_timeout;
        let generation = *shared.generations().borrow();
        let kept = self
            .connection
            .take()
            .filter(|(_, made_in)| *made_in == generation);
        let work = async {
            let client = &shared.client;
            let connect = client.get_multiplexed_async_connection_with_config(&config);
            let mut open = match kept {
                Some((open, _)) => open,
                None => connect.await?,
            };
            let call = then.as_ref().map(Call::as_script);
            let commands = pipeline([command].into_iter().chain(call));
            let mut values = exchange(&mut open, &commands).await?;
            if let (Some(call), true) = (&then, values.last().is_some_and(is_noscript)) {
                let answer = exchange(&mut open, &pipeline(call.loading())).await?.pop();
                values.pop();
                values.extend(answer);
            }
            Ok::<_, LinkError>((open, values))
        };
        let Ok(done) = tokio::time::timeout(max, work).await else {
            let error = LinkError::timed_out(max);
            shared.replace(generation, &error);
            return Err(error);
        };
        let (open, values) = done?;
        match refusal(&values) {
            Some(error) => shared.replace(generation, error),
            None => self.connection = Some((open, generation)),
        }
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
}

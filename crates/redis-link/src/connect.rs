//! Makes connections: resolves the address, opens the socket, runs TLS, and logs in.

use std::sync::Arc;

use redis::aio::{ConnectionLike as _, MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, cmd};
use tokio::task::AbortHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::access::{Access, ConnectError};
use super::address::Address;
use super::login::Login;
use super::refusal::RefusalReason;
use super::socket::{self, Stream};
use super::{probe, sentinel, tls};

/// A multiplexed connection. Its task ends with the last clone, whatever is in flight.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) multiplexed: MultiplexedConnection,
    _driver: Arc<Driver>,
}

struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a socket becomes.
trait FromStream: Sized {
    /// Logs in.
    fn make(
        settings: RedisConnectionInfo,
        stream: Stream,
    ) -> impl Future<Output = RedisResult<Self>> + Send;
}

impl FromStream for Connection {
    async fn make(settings: RedisConnectionInfo, stream: Stream) -> RedisResult<Self> {
        // The callers apply timeouts: they also replace the connection, which the library does not.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let made = MultiplexedConnection::new_with_config(&settings, stream, config).await;
        let (multiplexed, driver) = made?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Self {
            multiplexed,
            _driver: Arc::new(Driver(driver)),
        })
    }
}

impl FromStream for PubSub {
    async fn make(settings: RedisConnectionInfo, stream: Stream) -> RedisResult<Self> {
        Self::new(&settings, stream).await
    }
}

/// Where the connections of one server lead.
pub(super) enum Target {
    Server(Address),
    /// The primary of this name, by these Sentinels.
    Sentinels(Vec<Address>, String),
}

/// Makes connections to one server, or to the current primary of a set.
pub(super) struct Connector {
    pub(super) access: Arc<Access>,
    target: Target,
}

impl Connector {
    pub(super) fn new(access: Arc<Access>, target: Target) -> Self {
        Self { access, target }
    }

    /// The server, for messages.
    pub(super) fn server(&self) -> String {
        match &self.target {
            Target::Server(address) => address.to_string(),
            Target::Sentinels(_, name) => format!("the primary {name}"),
        }
    }

    /// A connection for commands.
    pub(super) async fn connect(&self) -> Result<Connection, ConnectError> {
        let mut connection = self.within::<Connection>().await?;
        // A Sentinel may name a server that is a replica by now.
        if matches!(self.target, Target::Sentinels(..)) {
            let role = cmd("ROLE");
            let role = connection.multiplexed.req_packed_command(&role);
            let role = timeout(self.access.timeout, role).await.map_err(late)??;
            if !sentinel::is_primary(&role) {
                let why = "the Sentinels name a server that is no primary";
                return Err(RedisError::from((ErrorKind::Io, why)).into());
            }
        }
        Ok(connection)
    }

    /// A connection for subscriptions.
    pub(super) async fn subscriber(&self) -> Result<PubSub, ConnectError> {
        self.within().await
    }

    /// Bounds an attempt.
    async fn within<T: FromStream>(&self) -> Result<T, ConnectError> {
        let access = &self.access;
        let made = match timeout(access.timeout, self.attempt()).await {
            Ok(made) => made,
            Err(elapsed) => Err(late(elapsed).into()),
        };
        access.report(&made);
        made
    }

    /// Connects; after a refused login once more, if the source then returns another one.
    async fn attempt<T: FromStream>(&self) -> Result<T, ConnectError> {
        let access = &self.access;
        let was_refused = access.take_login_refused();
        let mut login = access.login.login(was_refused).await?;
        let address = self.resolve(login.as_ref()).await?;
        for is_last in [false, true] {
            let stream = socket::open(access, &address).await?;
            let error = match T::make(access.settings(login.as_ref()), stream).await {
                Ok(made) => return Ok(made),
                Err(error) => error,
            };
            if error.kind() != ErrorKind::AuthenticationFailed && error.code() != Some("WRONGPASS")
            {
                return Err(self.explained(&address, error).await);
            }
            let next = if is_last {
                None
            } else {
                access.login.login(true).await?
            };
            if is_last || next == login {
                break;
            }
            login = next;
        }
        access.set_login_refused();
        Err(access
            .refusal(&address.to_string(), RefusalReason::Login)
            .into())
    }

    async fn resolve(&self, login: Option<&Login>) -> Result<Address, ConnectError> {
        match &self.target {
            Target::Server(address) => Ok(address.clone()),
            Target::Sentinels(sentinels, name) => {
                let settings = self.access.settings(login);
                sentinel::primary(&self.access, sentinels, name, settings).await
            }
        }
    }

    /// TLS 1.3 reports a refused client certificate after the handshake; a TLS port closes a plain
    /// connection without a reply.
    async fn explained(&self, address: &Address, error: RedisError) -> ConnectError {
        let reason = match tls::reason(&error) {
            Some(reason) => Some(reason),
            None if self.access.tls.is_none() && error.is_connection_dropped() => {
                let speaks_tls = probe::speaks_tls(address, self.access.timeout / 4).await;
                speaks_tls.then_some(RefusalReason::TlsServer)
            }
            None => None,
        };
        match reason {
            Some(reason) => self.access.refusal(&address.to_string(), reason).into(),
            None => error.into(),
        }
    }
}

fn late(elapsed: Elapsed) -> RedisError {
    std::io::Error::from(elapsed).into()
}

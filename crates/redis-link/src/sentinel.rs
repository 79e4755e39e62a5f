//! The primary of a set that Sentinels watch.

use futures::FutureExt as _;
use futures::future::select_ok;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, ErrorKind, FromRedisValue as _, RedisConnectionInfo, RedisError, Value,
    cmd,
};

use super::access::{Access, ConnectError};
use super::address::Address;
use super::socket;

/// The address of the primary, from the first Sentinel that names one. All are sent the request at
/// once: one that hangs delays nothing.
pub(super) async fn primary(
    access: &Access,
    sentinels: &[Address],
    name: &str,
    settings: RedisConnectionInfo,
) -> Result<Address, ConnectError> {
    let requests = sentinels.iter().map(|sentinel| {
        let settings = settings.clone().set_db(0);
        named_by(access, sentinel, name, settings).boxed()
    });
    let (address, _) = select_ok(requests).await?;
    Ok(address)
}

/// Most Sentinels have no login of their own, and refuse one. The login of the server is used where
/// a Sentinel demands one.
async fn named_by(
    access: &Access,
    sentinel: &Address,
    name: &str,
    settings: RedisConnectionInfo,
) -> Result<Address, ConnectError> {
    let without_login = RedisConnectionInfo::default().set_protocol(settings.protocol());
    let mut answer = ask(access, sentinel, name, without_login).await?;
    if matches!(&answer, Value::ServerError(error) if error.code() == "NOAUTH") {
        answer = ask(access, sentinel, name, settings).await?;
    }
    match answer.extract_error()? {
        Value::Nil => Err(RedisError::from((
            ErrorKind::MasterNameNotFoundBySentinel,
            "no primary of this name",
            format!("{name}, at the Sentinel {sentinel}"),
        ))
        .into()),
        found => {
            let (host, port) =
                <(String, u16)>::from_redis_value(found).map_err(RedisError::from)?;
            Ok(Address::Tcp { host, port })
        }
    }
}

async fn ask(
    access: &Access,
    sentinel: &Address,
    name: &str,
    settings: RedisConnectionInfo,
) -> Result<Value, ConnectError> {
    let stream = socket::open(access, sentinel).await?;
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let made = MultiplexedConnection::new_with_config(&settings, stream, config).await;
    let (mut connection, driver) = made?;
    let mut request = cmd("SENTINEL");
    request.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let mut pipeline = redis::Pipeline::new();
    pipeline.add_command(request);
    // The connection needs its driver only for this one reply.
    tokio::select! {
        values = connection.req_packed_commands(&pipeline, 0, 1) => {
            Ok(values?.pop().unwrap_or(Value::Nil))
        }
        () = driver => Err(RedisError::from((
            ErrorKind::Io,
            "a Sentinel closed the connection",
        ))
        .into()),
    }
}

/// Whether the reply to `ROLE` is that of a primary.
pub(super) fn is_primary(role: &Value) -> bool {
    let Value::Array(words) = role else {
        return false;
    };
    matches!(words.first(), Some(Value::BulkString(word)) if word == b"master")
}

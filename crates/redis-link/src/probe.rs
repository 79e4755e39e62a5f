//! Finds out what a port speaks, after an attempt that speaks something else has failed.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::address::Address;
use super::tcp;

/// The head of a TLS 1.0 record with a `ClientHello` that is too short: a TLS server answers with an
/// alert.
const SHORT_HELLO: [u8; 11] = [0x16, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3];
/// Types of TLS records: alert, handshake.
const RECORDS: [u8; 2] = [0x15, 0x16];

/// Whether a port answers as a TLS server, within this time.
pub(super) async fn speaks_tls(address: &Address, limit: Duration) -> bool {
    let first = first_byte(address, &SHORT_HELLO, limit).await;
    first.is_some_and(|byte| RECORDS.contains(&byte))
}

/// Whether a port answers as Redis without TLS, within this time: `+PONG`, or an error such as
/// `-NOAUTH`.
pub(super) async fn speaks_redis(address: &Address, limit: Duration) -> bool {
    let first = first_byte(address, b"PING\r\n", limit).await;
    first.is_some_and(|byte| b"+-".contains(&byte))
}

async fn first_byte(address: &Address, words: &[u8], limit: Duration) -> Option<u8> {
    let Address::Tcp { host, port } = address else {
        return None;
    };
    let read = async {
        let mut socket = tcp::connect(host, *port).await?;
        socket.write_all(words).await?;
        socket.read_u8().await
    };
    timeout(limit, read).await.ok()?.ok()
}

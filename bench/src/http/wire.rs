//! A client of HTTP/1.1 that costs little beside what it measures: a kept connection on which
//! prepared bytes are sent, and of whose answers only status and length are read.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Maximum size of an answer.
const MAX_ANSWER: usize = 1 << 20;

/// A connection, which is opened when it is first needed and again after a failure.
#[derive(Debug)]
pub(crate) struct Connection {
    server: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

/// Status and body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

/// The first lines of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    status: u16,
    body: Range<usize>,
    closes: bool,
}

impl Connection {
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self {
            server,
            stream: None,
            received: Vec::with_capacity(4096),
        }
    }

    /// Sends a request and receives its answer. After an error the connection is a new one.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => open(self.server).await?,
        };
        stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            if let Some(head) = head(&self.received)?
                && self.received.len() >= head.body.end
            {
                break head;
            }
            ensure!(
                self.received.len() < MAX_ANSWER,
                "an answer is longer than {MAX_ANSWER} bytes"
            );
            let count = stream.read_buf(&mut self.received).await?;
            ensure!(count > 0, "the connection was closed within an answer");
        };
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(Answer {
            status: head.status,
            body: &self.received[head.body],
        })
    }
}

async fn open(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).await;
    let stream = stream.with_context(|| format!("no connection to {server}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The head of an answer; `None` while it is incomplete. Only answers that state their length are
/// understood.
fn head(received: &[u8]) -> Result<Option<Head>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&received[..end]).context("a head that is not UTF-8")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let status = status
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .with_context(|| format!("no status line of HTTP/1.1: {status}"))?;
    let (mut length, mut closes) = (None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            bail!("a header without a colon: {line}");
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>().context("Content-Length")?);
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    let length = length.context("an answer without Content-Length")?;
    let begin = end + 4;
    let body = begin..begin.saturating_add(length);
    Ok(Some(Head {
        status,
        body,
        closes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let answer = b"HTTP/1.1 202 Accepted\r\nA: b\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(head(&answer[..49]).expect("valid so far"), None);
        let read = head(answer).expect("valid").expect("complete");
        assert_eq!((read.status, read.closes), (202, false));
        assert_eq!(&answer[read.body], b"abc");
    }

    #[test]
    fn what_has_no_length_is_refused() {
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn a_connection_is_kept_until_the_server_closes_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let mut connections = 0;
            for closes in [false, true] {
                let (mut stream, _) = listener.accept().await.expect("a client");
                connections += 1;
                let mut request = [0; 4];
                while stream.read_exact(&mut request).await.is_ok() {
                    let close = if closes { "Connection: close\r\n" } else { "" };
                    let answer = format!("HTTP/1.1 200 OK\r\n{close}Content-Length: 2\r\n\r\nok");
                    // In two pieces, so that the client has to wait for the second.
                    let (first, second) = answer.as_bytes().split_at(30);
                    stream.write_all(first).await.expect("sent");
                    stream.write_all(second).await.expect("sent");
                    if request == *b"last" {
                        break;
                    }
                }
            }
            connections
        });
        let mut connection = Connection::to(address);
        for _ in 0..2 {
            let answer = connection.exchange(b"next").await.expect("an answer");
            assert_eq!((answer.status, answer.body), (200, &b"ok"[..]));
        }
        connection.exchange(b"last").await.expect("an answer");
        // The server has closed the first connection without saying so in its answer.
        let closed = connection.exchange(b"next").await;
        assert!(closed.is_err(), "{closed:?}");
        let answer = connection.exchange(b"last").await.expect("a new one");
        assert_eq!(answer.status, 200);
        assert_eq!(server.await.expect("the server"), 2);
    }
}

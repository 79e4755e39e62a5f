//! Servers that refuse every request.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Starts a server that answers every Redis command with this error. Returns its port.
pub async fn refusing_redis(error: &'static str) -> u16 {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(refuse(client, error));
        }
    });
    port
}

/// Starts a server that answers every HTTP request with this status and this JSON document. Returns
/// its port.
pub async fn refusing_http(status: u16, document: &'static str) -> u16 {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(refuse_requests(client, status, document));
        }
    });
    port
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// One answer per command: an array of bulk strings, whose first line begins with `*`.
async fn refuse(client: TcpStream, error: &str) -> std::io::Result<()> {
    let (reader, mut writer) = client.into_split();
    let mut lines = BufReader::new(reader).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        if line.first() == Some(&b'*') {
            writer.write_all(format!("-{error}\r\n").as_bytes()).await?;
        }
    }
    Ok(())
}

/// One answer per request: a head that ends with an empty line, and a body of its length.
async fn refuse_requests(client: TcpStream, status: u16, document: &str) -> std::io::Result<()> {
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    let mut body = 0;
    while reader.read_line(&mut line).await? > 0 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            body = value.trim().parse().unwrap_or_default();
        }
        if line.trim_end().is_empty() {
            reader.read_exact(&mut vec![0; body]).await?;
            let length = document.len();
            let head = format!(
                "HTTP/1.1 {status} Refused\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {length}\r\n\r\n"
            );
            writer.write_all((head + document).as_bytes()).await?;
            body = 0;
        }
        line.clear();
    }
    Ok(())
}

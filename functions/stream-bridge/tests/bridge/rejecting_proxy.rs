//! A proxy in front of the real queue that rejects single messages of a batch, as SQS may.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct RejectingProxy {
    pub(crate) endpoint: String,
    turned_away: watch::Sender<Option<&'static str>>,
}

impl RejectingProxy {
    /// A proxy to `host:port` that rejects messages whose body contains `text`.
    pub(crate) async fn before(server: &str, text: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let (turned_away, text) = watch::channel(Some(text));
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let server = server.clone();
                let text = text.clone();
                tokio::spawn(async move {
                    // Ends with the connection of the client.
                    let _ = serve(near, &server, &text).await;
                });
            }
        });
        Self {
            endpoint,
            turned_away,
        }
    }

    pub(crate) fn accept_all(&self) {
        self.turned_away.send_replace(None);
    }
}

async fn serve(
    mut near: TcpStream,
    server: &str,
    text: &watch::Receiver<Option<&'static str>>,
) -> std::io::Result<()> {
    let mut far = TcpStream::connect(server).await?;
    loop {
        let (head, body) = read(&mut near).await?;
        let mut request: Value = serde_json::from_slice(&body)?;
        let away = *text.borrow();
        let is_away = |entry: &Value| {
            away.is_some_and(|text| {
                entry["MessageBody"]
                    .as_str()
                    .is_some_and(|b| b.contains(text))
            })
        };
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        let (refused, taken): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(is_away);
        let failed: Vec<Value> = refused
            .iter()
            .map(|entry| {
                json!({
                    "Id": entry["Id"],
                    "SenderFault": false,
                    "Code": "InternalError",
                    "Message": "not now",
                })
            })
            .collect();
        let mut answer = json!({ "Successful": [], "Failed": [] });
        if !taken.is_empty() {
            request["Entries"] = taken.into();
            far.write_all(&with_length(&head, &request.to_string()))
                .await?;
            let (_, body) = read(&mut far).await?;
            answer = serde_json::from_slice(&body)?;
        }
        let mut all = answer["Failed"].as_array().cloned().unwrap_or_default();
        all.extend(failed);
        answer["Failed"] = all.into();
        near.write_all(&with_length(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0",
            &answer.to_string(),
        ))
        .await?;
    }
}

/// Head and body of a request or response with a content length.
async fn read(socket: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            let mut body = bytes.split_off(end + 4);
            let had = body.len();
            body.resize(length.expect("a length"), 0);
            socket.read_exact(&mut body[had..]).await?;
            return Ok((head, body));
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Replaces the length in a head.
fn with_length(head: &str, body: &str) -> Vec<u8> {
    let rest = head
        .lines()
        .filter(|line| !line.to_lowercase().starts_with("content-length:"))
        .collect::<Vec<_>>()
        .join("\r\n");
    format!("{rest}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

//! A private server with the API of S3: moto, which keeps objects in memory and verifies no
//! signatures.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::eventually;
use crate::net::free_address;
use crate::process::KillOnDrop;
use crate::python::Tools;

/// A server on a port of its own, with one empty bucket. It is killed when this value is dropped.
#[derive(Debug)]
pub struct PrivateS3 {
    address: SocketAddr,
    bucket: String,
    process: Option<KillOnDrop>,
}

impl PrivateS3 {
    /// Starts one and makes the bucket.
    pub async fn start(bucket: &str) -> Self {
        let mut server = Self {
            address: free_address(),
            bucket: bucket.to_owned(),
            process: None,
        };
        server.start_again().await;
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it. Its objects are lost.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it at the same address after a kill, with an empty bucket.
    pub async fn start_again(&mut self) {
        let process = Command::new(Tools::Files.program("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &self.address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        self.process = Some(KillOnDrop(process));
        eventually("moto makes a bucket", async || {
            self.make_bucket().await.ok()
        })
        .await;
    }

    async fn make_bucket(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "PUT /{} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.bucket, self.address
        );
        stream.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        if response.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
        Err(std::io::Error::other("the bucket is not made"))
    }
}

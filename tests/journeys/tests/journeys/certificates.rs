//! Servers with a certificate of an unknown authority, of another name, or that has expired: each is
//! refused, and the output of the function names the setting to change.

use std::process::{Command, Stdio};

use anyhow::Result;
use journeys::{TestEnvironment, until};
use testkit::net::free_address;
use testkit::process::KillOnDrop;
use testkit::tls::{Authority, Identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A server that shows a certificate. The client refuses it before it sends anything else.
struct TlsServer {
    port: u16,
    _process: KillOnDrop,
}

impl TlsServer {
    async fn start(identity: &Identity) -> Result<Self> {
        let port = free_address().port();
        let process = Command::new("openssl")
            .args([
                "s_server",
                "-quiet",
                "-accept",
                &format!("127.0.0.1:{port}"),
            ])
            .arg("-cert")
            .arg(&identity.certificate)
            .arg("-key")
            .arg(&identity.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let process = KillOnDrop(process);
        until("openssl listens", async || {
            Ok(TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop))
        })
        .await?;
        Ok(Self {
            port,
            _process: process,
        })
    }

    /// The port of a relay that agrees to TLS first, as `PostgreSQL` does.
    async fn as_postgres(&self) -> Result<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = listener.local_addr()?.port();
        let port = self.port;
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    client.read_exact(&mut [0; 8]).await?; // SSLRequest
                    client.write_all(b"S").await?;
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(own)
    }
}

/// Each refused certificate, with what the output must contain. `{}` is the variable of the address.
fn cases(trusted: &Authority, other: &Authority) -> [(Identity, [&'static str; 2]); 3] {
    [
        (other.server(), ["unknown authority", "TLS_CA_FILE"]),
        (trusted.server_with_other_name(), ["name", "{}"]),
        (trusted.expired_server(), ["has expired", "the server"]),
    ]
}

/// Invokes the function on a server with each certificate.
async fn refused(
    function: &str,
    event: &str,
    variable: &str,
    parameters: impl AsyncFn(&TlsServer) -> Result<Vec<String>>,
) -> Result<()> {
    let (trusted, other) = (Authority::new(), Authority::new());
    let env = TestEnvironment::new().await?;
    for (identity, expected) in cases(&trusted, &other) {
        let server = TlsServer::start(&identity).await?;
        let mut usher = env.environment.usher("invoke")?;
        let event = env.environment.checkout.root.join("events").join(event);
        usher
            .args(["--alone", function, "-e"])
            .arg(event)
            .arg("--parameter-overrides")
            .arg(format!("TlsCaFile={}", trusted.file().display()))
            .args(parameters(&server).await?);
        let output = usher.kill_on_drop(true).output().await?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for words in expected {
            let words = words.replace("{}", variable);
            assert!(said.contains(&words), "{words:?} is missing:\n{said}");
        }
    }
    env.remove().await
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_certificates_of_postgres_name_the_setting() -> Result<()> {
    refused(
        "Migrate",
        "migrate/empty.json",
        "DATABASE_URL",
        async |server| {
            let port = server.as_postgres().await?;
            let url = format!("postgres://usher:usher@127.0.0.1:{port}/usher?sslmode=verify-full");
            Ok(vec![format!("DatabaseUrl={url}")])
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_certificates_of_redis_name_the_setting() -> Result<()> {
    let event = "timeout-closer/scheduler.json";
    refused("TimeoutCloser", event, "REDIS_GATE_URL", async |server| {
        Ok(vec![format!(
            "RedisGateUrl=rediss://127.0.0.1:{}",
            server.port
        )])
    })
    .await
}

//! Servers with a certificate of an unknown authority, of another name, or that has expired: each is
//! refused, and the output of the function names the setting to change.

use anyhow::Result;
use journeys::TestEnvironment;
use testkit::tls::{Authority, Identity, TlsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// The port of a relay to a server with TLS, which agrees to TLS first, as `PostgreSQL` does.
async fn as_postgres(server: &TlsServer) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own = listener.local_addr()?.port();
    let port = server.port();
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
        let server = TlsServer::start(&identity).await;
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
            let port = as_postgres(server).await?;
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
            server.port()
        )])
    })
    .await
}

//! Wrong settings: one message names all of them, and nothing starts.

use anyhow::Result;
use journeys::{Settings, TestEnvironment};

/// Runs `usher up` with invalid settings; returns its error output.
async fn refused(arguments: &[&str]) -> Result<String> {
    let env = TestEnvironment::bare(Settings::default())?;
    let mut usher = env.environment.usher("up")?;
    usher
        .args(arguments)
        .arg("--jwks")
        .arg(env.environment.keys.join("jwks.json"))
        .kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_mins(1), usher.output()).await??;
    assert!(!output.status.success(), "usher started with {arguments:?}");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn one_message_names_every_wrong_parameter() -> Result<()> {
    let said = refused(&[
        "--parameter-overrides",
        "EnvPrefix=",
        "Nonsense=1",
        "PayWindowSeconds=soon",
        "OrderCreateBatchSize=0",
    ])
    .await?;
    for name in [
        "EnvPrefix",
        "Nonsense",
        "PayWindowSeconds",
        "OrderCreateBatchSize",
    ] {
        assert!(said.contains(name), "{name} is not named:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    Ok(())
}

#[tokio::test]
async fn one_message_names_all_configuration_problems() -> Result<()> {
    let overrides = [
        "EnvPrefix=",
        "Nonsense=1",
        "KafkaBootstrapServers=127.0.0.1:1",
        "DatabaseUrl=postgres://usher:usher@127.0.0.1:2/usher",
        "RedisGateUrl=redis://127.0.0.1:99998",
    ];
    let arguments = [
        &["--http", "127.0.0.1:99999", "--parameter-overrides"][..],
        &overrides,
    ]
    .concat();
    let said = refused(&arguments).await?;
    let words = [
        "--http 127.0.0.1:99999",
        "EnvPrefix",
        "Nonsense",
        "Kafka at 127.0.0.1:1",
        "nothing listens at 127.0.0.1:2",
        "DATABASE_URL",
        "port '99998'",
        "nothing was started",
    ];
    for word in words {
        assert!(said.contains(word), "{word} is not named:\n{said}");
    }
    assert!(
        !said.contains("usher:usher@"),
        "a password is shown:\n{said}"
    );
    assert_eq!(said.matches("nothing was started").count(), 1, "{said}");
    Ok(())
}

#[tokio::test]
async fn one_message_names_ports_and_brokers() -> Result<()> {
    let occupied = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = occupied.local_addr()?.to_string();
    let said = refused(&[
        "--http",
        &address,
        "--parameter-overrides",
        "KafkaBootstrapServers=127.0.0.1:1",
    ])
    .await?;
    assert!(
        said.contains(&format!("cannot listen on {address}"))
            && said.contains("Kafka at 127.0.0.1:1"),
        "{said}"
    );
    Ok(())
}

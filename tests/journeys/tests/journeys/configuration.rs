//! Wrong settings: one readable message that names all of them, and nothing started.

use anyhow::Result;
use journeys::{Settings, World};

/// Runs `usher up` with settings that cannot work; gives what it said.
async fn refused(arguments: &[&str]) -> Result<String> {
    let world = World::bare(Settings::default())?;
    let mut usher = world.environment.usher("up")?;
    usher.args(arguments).arg("--jwks").arg(world.environment.keys.join("jwks.json")).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_mins(1), usher.output()).await??;
    assert!(!output.status.success(), "usher started with {arguments:?}");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn every_wrong_parameter_is_named_in_one_message() -> Result<()> {
    let said = refused(&["--parameter-overrides", "EnvPrefix=", "Nonsense=1", "PayWindowSeconds=soon", "OrderCreateBatchSize=0"])
        .await?;
    for name in ["EnvPrefix", "Nonsense", "PayWindowSeconds", "OrderCreateBatchSize"] {
        assert!(said.contains(name), "{name} is not named:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_none_is_named() -> Result<()> {
    let said = refused(&["--http", "127.0.0.1:99999"]).await?;
    assert!(said.contains("127.0.0.1:99999"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_missing_broker_is_named_with_its_address() -> Result<()> {
    let said = refused(&["--parameter-overrides", "KafkaBootstrapServers=127.0.0.1:1"]).await?;
    assert!(said.contains("127.0.0.1:1"), "{said}");
    Ok(())
}

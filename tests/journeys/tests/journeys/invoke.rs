//! `usher invoke` with every file of events/.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use journeys::TestEnvironment;
use serde_json::Value;
use ticket_rush::host::Environment;
use ticket_rush::prepare::prepare;
use ticket_rush::remove::remove;

fn events(env: &TestEnvironment, folder: &str) -> Result<Vec<(String, PathBuf)>> {
    let folder = env.environment.checkout.root.join("events").join(folder);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .and_then(|n| n.to_str())
            .unwrap_or_default()
            .to_owned();
        files.push((name, path));
    }
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    Ok(files)
}

#[tokio::test]
async fn every_http_event_has_its_documented_answer() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let mut files = Vec::new();
    for (function, folder) in [
        ("Storefront", "storefront"),
        ("StorefrontLookups", "storefront-lookups"),
        ("StorefrontPayments", "storefront-payments"),
        ("StorefrontOperators", "storefront-operators"),
    ] {
        let of_folder = events(&env, folder)?.into_iter();
        files.extend(of_folder.map(|(name, file)| (name, function, file)));
    }
    // The first event creates the program of the others; the second one changes its first version.
    files.sort_by_key(|(name, ..)| {
        let others = (name != "program-create", name != "program-update");
        (others, name.clone())
    });
    for (name, function, file) in files {
        let (code, answer) = env.invoke(function, &file).await?;
        assert_eq!(code, 0, "{name}: {answer}");
        let status = answer["statusCode"]
            .as_u64()
            .with_context(|| format!("{name}: {answer}"))?;
        let expected: &[u64] = match name.as_str() {
            n if n.starts_with("payment-") => &[401],
            n if n.ends_with("-without-scope") => &[403],
            n if n.ends_with("-nobody") => &[401],
            "unknown-route" => &[405],
            n if n.ends_with("-other-version") => &[409],
            n if ["parked-", "payments-", "refunds-", "gaps-"]
                .iter()
                .any(|of| n.starts_with(of))
                && n.ends_with("-unknown") =>
            {
                &[404]
            }
            "program-create" => &[201],
            "program-get"
            | "program-seats"
            | "program-update"
            | "program-stop"
            | "program-add-seats"
            | "program-block"
            | "program-blocked"
            | "program-unblock"
            | "program-resume"
            | "orders-mine"
            | "api-calls"
            | "api-statistics"
            | "parked-list"
            | "payments-list"
            | "refunds-list"
            | "gaps-list"
            | "waiting-room-join"
            | "waiting-room-place"
            | "waiting-room-switch" => &[200],
            "order-create-best" | "order-create-seats" | "order-create-base64" => &[202],
            "order-get" | "order-cancel" | "program-get-bad-id" => &[404],
            _ => &[400, 422],
        };
        assert!(expected.contains(&status), "{name}: {answer}");
    }
    env.remove().await
}

#[tokio::test]
async fn every_kafka_event_is_stored_or_parked() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let mut poison = 0;
    for (name, file) in events(&env, "order-create")? {
        let (code, answer) = env.invoke("OrderCreate", &file).await?;
        if name == "not-a-kafka-event" {
            assert_eq!(code, 1, "{name}: {answer}");
            assert!(answer["errorMessage"].is_string(), "{name}: {answer}");
            continue;
        }
        poison += i64::from(name.starts_with("poison-"));
        assert_eq!(code, 0, "{name}: {answer}");
        let failures = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
        assert_eq!(failures, 0, "{name}: {answer}");
    }
    let parked = env
        .count("SELECT count(*) FROM parked WHERE reason <> ''")
        .await?;
    assert!(
        parked >= poison && poison > 0,
        "{parked} parked of {poison} poison events"
    );
    assert!(
        env.count("SELECT count(*) FROM orders WHERE status = 'unpaid'")
            .await?
            >= 1
    );
    env.remove().await
}

#[tokio::test]
async fn every_call_is_counted_once_or_parked() -> Result<()> {
    // The samples have fixed timestamps, which are older than the default retention.
    let keep = vec![
        ("ApiCallKeepDays", "3650".to_owned()),
        ("ApiStatisticsKeepDays", "3650".to_owned()),
    ];
    let env = TestEnvironment::with(journeys::Settings {
        parameters: keep,
        ..journeys::Settings::default()
    })
    .await?;
    let mut poison = 0;
    for (name, file) in events(&env, "api-data-collector")? {
        let (code, answer) = env.invoke("ApiDataCollector", &file).await?;
        if name == "not-a-kafka-event" {
            assert_eq!(code, 1, "{name}: {answer}");
            continue;
        }
        poison += i64::from(name.starts_with("poison-"));
        assert_eq!(code, 0, "{name}: {answer}");
        assert_eq!(
            answer["batchItemFailures"].as_array().map(Vec::len),
            Some(0),
            "{name}: {answer}"
        );
    }
    assert!(poison > 0, "some events are poison");
    assert_eq!(
        env.count("SELECT count(*) FROM parked WHERE reason <> ''")
            .await?,
        poison
    );
    // A valid call follows each poison record; `again` repeats the three of `one`; the others have
    // eleven.
    env.until_collected(poison + 3 + 11).await?;
    env.remove().await
}

#[tokio::test]
async fn every_change_message_is_handled_or_returned() -> Result<()> {
    let env = TestEnvironment::new().await?;
    for (name, file) in events(&env, "cache-invalidator")? {
        for _ in 0..2 {
            let (code, answer) = env.invoke("CacheInvalidator", &file).await?;
            assert_eq!(
                code,
                i32::from(name == "not-an-sqs-event"),
                "{name}: {answer}"
            );
            let again = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
            assert_eq!(
                again,
                usize::from(name.starts_with("bad-")),
                "{name}: {answer}"
            );
        }
    }
    env.remove().await
}

#[tokio::test]
async fn ticks_and_migrations_are_idempotent() -> Result<()> {
    let env = TestEnvironment::new().await?;
    for (function, folder) in [("TimeoutCloser", "timeout-closer"), ("Migrate", "migrate")] {
        for (name, file) in events(&env, folder)? {
            for _ in 0..2 {
                let (code, answer) = env.invoke(function, &file).await?;
                assert_eq!(code, i32::from(name == "not-a-tick"), "{name}: {answer}");
            }
        }
    }
    env.remove().await
}

#[tokio::test]
async fn every_tick_of_stream_bridge_runs_or_is_refused() -> Result<()> {
    // A run ends 3 s before the timeout of the function.
    let parameters = [
        ("StreamBridgeTimeoutSeconds", "5".to_owned()),
        ("StreamBridgeStopMarginMs", "3000".to_owned()),
    ];
    let env = TestEnvironment::with(journeys::Settings {
        parameters: parameters.into(),
        ..journeys::Settings::default()
    })
    .await?;
    for (name, file) in events(&env, "stream-bridge")? {
        let (code, answer) = env.invoke("StreamBridge", &file).await?;
        assert_eq!(code, i32::from(name == "not-a-tick"), "{name}: {answer}");
    }
    env.remove().await
}

#[tokio::test]
async fn another_environment_is_prepared_beside_a_host() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let prefix = format!("{}-other", env.environment.prefix);
    let other = Environment {
        prefix: prefix.clone(),
        ..env.environment.clone()
    };
    prepare(&other, |_| ()).await?;
    let schema = prefix.replace('-', "_");
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1";
    let tables: i64 = sqlx::query_scalar(tables)
        .bind(schema)
        .fetch_one(&env.db)
        .await?;
    assert!(tables > 0, "the tables belong to the named environment");
    // Without `--alone` the event would reach the host, which has another environment.
    let refused = other
        .invoke(
            "Migrate",
            &env.environment
                .checkout
                .root
                .join("events/migrate/empty.json"),
            &[],
        )
        .await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(2) && said.contains("variable ENV_PREFIX"),
        "{said}"
    );
    host.stop().await?;
    remove(&other.servers, &prefix).await?;
    env.remove().await
}

#[tokio::test]
async fn an_invalid_event_is_refused_before_the_start() -> Result<()> {
    let env = TestEnvironment::bare(journeys::Settings::default())?;
    for (event, function, named) in [
        ("no/such/file.json", "Storefront", "no/such/file.json"),
        ("README.md", "Storefront", "JSON"),
        ("events/migrate/empty.json", "Unknown", "Unknown"),
    ] {
        let path: &Path = event.as_ref();
        let output = env.environment.invoke(function, path, &[]).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(named),
            "{event} {function}: {said}"
        );
        let answer: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        assert_eq!(answer, None);
    }
    Ok(())
}

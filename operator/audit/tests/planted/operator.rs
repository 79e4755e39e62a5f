//! What operators use beside the report: metrics, explanations, one variable for each server.

use std::process::Command;

use anyhow::Result;
use testkit::redis::PrivateRedis;
use testkit::tls::Authority;

use crate::sale_fixture::SaleFixture;

#[tokio::test]
async fn metrics_count_the_discrepancies_of_each_check() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("ticket-audit.prom");
    let path = file.to_string_lossy().into_owned();
    let series = |number: &str, count: u32| {
        let text = std::fs::read_to_string(&file)?;
        let is_its = |line: &&str| line.contains(&format!("number=\"{number}\""));
        let line = text.lines().find(is_its).unwrap_or_default().to_owned();
        assert!(line.ends_with(&format!(" {count}")), "{line}");
        anyhow::Ok(text)
    };
    let output = sale.audit_with(&["--pause", "0", "--metrics", &path])?;
    assert_eq!(output.status.code(), Some(0));
    series("S5", 0)?;
    sale.redis("HSET", "program:7:owner", &["1", "105:ab"])
        .await?;
    let output = sale.audit_with(&["--pause", "0", "--metrics", &path])?;
    assert_eq!(output.status.code(), Some(1));
    let text = series("S5", 1)?;
    let printed = sale.audit_with(&["--pause", "0", "--metrics", "-"])?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    let timeless = |text: &str| {
        let lines = text.lines().filter(|line| line.contains("discrepancies"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(timeless(&printed), timeless(&text));
    assert_eq!(
        std::fs::read_dir(folder.path())?.count(),
        1,
        "no part is left"
    );
    sale.remove().await
}

#[test]
fn a_check_is_explained_by_its_number() -> Result<()> {
    let explain = |number: &str| {
        let mut audit = Command::new(env!("CARGO_BIN_EXE_ticket-audit"));
        audit.args(["explain", number]).output()
    };
    let known = explain("s5")?;
    let text = String::from_utf8_lossy(&known.stdout).into_owned();
    assert!(text.contains("every held seat has a live order"), "{text}");
    assert!(text.contains("ticket-mend"), "{text}");
    let unknown = explain("S99")?;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("S99"));
    Ok(())
}

#[test]
fn a_missing_environment_is_named() -> Result<()> {
    let mut audit = Command::new(env!("CARGO_BIN_EXE_ticket-audit"));
    let output = audit.env_remove("ENV_PREFIX").output()?;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--env is missing"));
    Ok(())
}

#[tokio::test]
async fn redis_is_read_over_tls_with_a_login() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    let authority = Authority::new();
    let identity = authority.server();
    // The rights that docs/reference/audit.md names.
    let rights = [
        "-@all",
        "+ping",
        "+scan",
        "+hscan",
        "+zscan",
        "+hgetall",
        "+hlen",
        "+hmget",
        "+get",
        "+evalsha",
        "+script|load",
    ];
    let user = ["--user", "auditor", "on", ">a:b@c/d", "~*"];
    let settings = [&user[..], &rights].concat();
    let (_server, port) = PrivateRedis::start_with_tls(&identity, &settings);
    let audit = |password: &str| {
        let url = format!("rediss://localhost:{port}");
        let mut audit = sale.command_on(&url, &["--pause", "0", "--json"]);
        audit
            .env("REDIS_GATE_USER", "auditor")
            .env("REDIS_GATE_PASSWORD", password)
            .env("TLS_CA_FILE", authority.file())
            .output()
    };
    // This Redis is empty: the program with its live orders is missing there.
    let read = audit("a:b@c/d")?;
    let report = String::from_utf8_lossy(&read.stdout).into_owned();
    assert_eq!(read.status.code(), Some(1), "{report}");
    assert!(report.contains("program 7 is not in the gate"), "{report}");
    let refused = audit("another")?;
    assert_eq!(refused.status.code(), Some(2));
    sale.remove().await
}

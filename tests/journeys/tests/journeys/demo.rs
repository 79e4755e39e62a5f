//! `ticket-rush demo` beside another one: the host of a demo ends with it, and no demo removes
//! another's environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use journeys::until;
use sqlx::{Connection, PgConnection, query_scalar};
use tempfile::TempDir;
use testkit::process::is_running;
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::remove::remove;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Two demos that start concurrently could choose the same free ports.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A demo's data folder, and the demo that runs there.
struct Demo {
    data: TempDir,
    checkout: Checkout,
    running: Child,
}

impl Demo {
    async fn start() -> Result<Self> {
        let data = TempDir::new()?;
        let checkout = Checkout::find()?;
        let log = std::fs::File::create(data.path().join("output"))?;
        let running = command(&checkout, data.path())?
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let demo = Self {
            data,
            checkout,
            running,
        };
        until("its host serves", async || {
            Ok(demo.output()?.contains("usher serves").then_some(()))
        })
        .await?;
        Ok(demo)
    }

    fn output(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.data.path().join("output"))?)
    }

    /// The folder of its run, named as its environment.
    fn folder(&self) -> Result<PathBuf> {
        let mut runs = std::fs::read_dir(self.data.path().join("demo"))?;
        Ok(runs.next().context("it has no run")??.path())
    }

    fn environment(&self) -> Result<String> {
        Ok(self
            .folder()?
            .file_name()
            .context("a run has a name")?
            .to_string_lossy()
            .into_owned())
    }

    /// The process of its host.
    async fn host(&self) -> Result<u32> {
        let control = until("the log names the address of the host", async || {
            let log = std::fs::read_to_string(self.folder()?.join("usher.log"))?;
            let rest = log
                .split_once("live page on http://")
                .map(|(_, rest)| rest.to_owned());
            Ok(rest.and_then(|rest| rest.split_once('/').map(|(address, _)| address.to_owned())))
        })
        .await?;
        let status: serde_json::Value = reqwest::get(format!("http://{control}/_usher/status"))
            .await?
            .json()
            .await?;
        Ok(u32::try_from(
            status["pid"].as_u64().context("a host has a process")?,
        )?)
    }

    async fn ended(&mut self) -> Result<Option<i32>> {
        Ok(timeout(Duration::from_mins(1), self.running.wait())
            .await??
            .code())
    }

    async fn remove(self) -> Result<()> {
        remove(&Servers::from_env(), &self.environment()?).await
    }
}

fn command(checkout: &Checkout, data: &Path) -> Result<Command> {
    let mut demo = Command::new(checkout.program("ticket-rush")?);
    demo.args(["demo", "--buyers", "20", "--seats", "200"])
        .current_dir(&checkout.root)
        .env("USHER_DATA", data);
    demo.stdin(Stdio::null()).kill_on_drop(true);
    Ok(demo)
}

async fn has_tables(environment: &str) -> Result<bool> {
    let mut db = PgConnection::connect(&Servers::from_env().database_url).await?;
    let found = query_scalar(
        "SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_schema = $1)",
    );
    Ok(found
        .bind(environment.replace('-', "_"))
        .fetch_one(&mut db)
        .await?)
}

#[tokio::test]
async fn a_second_demo_leaves_the_first_alone() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut demo = Demo::start().await?;
    let host = demo.host().await?;
    let environment = demo.environment()?;
    let second = timeout(
        Duration::from_secs(30),
        command(&demo.checkout, demo.data.path())?.output(),
    )
    .await??;
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(
        said.contains("another run of demo or up") && said.contains("nothing of it was touched"),
        "{said}"
    );
    assert!(is_running(host) && has_tables(&environment).await?);
    let refused = remove(&Servers::from_env(), &environment)
        .await
        .expect_err("its demo runs")
        .to_string();
    assert!(
        refused.contains("is in use") && has_tables(&environment).await?,
        "{refused}"
    );

    // SIGTERM makes it drain its host before it ends.
    let process = demo.running.id().context("the demo runs")?;
    std::process::Command::new("kill")
        .args(["-TERM", &process.to_string()])
        .status()?;
    assert_eq!(demo.ended().await?, Some(2), "{}", demo.output()?);
    assert!(!is_running(host), "its host still runs");
    let log = std::fs::read_to_string(demo.folder()?.join("usher.log"))?;
    assert!(log.contains("draining") && log.contains("stopped"), "{log}");
    demo.remove().await
}

#[tokio::test]
async fn the_host_ends_with_a_killed_demo() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut demo = Demo::start().await?;
    let host = demo.host().await?;
    demo.running.kill().await?;
    until("its host ends", async || {
        Ok((!is_running(host)).then_some(()))
    })
    .await?;
    let log = std::fs::read_to_string(demo.folder()?.join("usher.log"))?;
    assert!(log.contains("draining"), "{log}");
    demo.remove().await
}

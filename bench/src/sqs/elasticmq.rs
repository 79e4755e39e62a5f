//! A server of its own for the measurement, in memory: on disk the server waits for each of its
//! writes, and a consumer would be measured by the disk.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ticket_rush::host::free_address;
use ticket_rush::locations::Checkout;
use tokio::process::{Child, Command};

use super::server::Queue;

/// Time in which it answers.
const START: Duration = Duration::from_secs(60);

/// A running server. It is killed when this value is dropped.
pub(super) struct ElasticMq {
    pub(super) endpoint: String,
    process: Child,
    folder: PathBuf,
}

impl ElasticMq {
    /// Starts the version that `scripts/servers` has installed.
    pub(super) async fn start(checkout: &Checkout) -> Result<Self> {
        let jars = jars()?;
        let address = free_address(([127, 0, 0, 1], 0).into())?;
        let name = format!("sqs-{}", address.port());
        let folder = checkout.data().join("bench").join(name);
        fs::create_dir_all(&folder)?;
        let settings = folder.join("elasticmq.conf");
        fs::write(&settings, configuration(address.port()))?;
        let log = File::create(folder.join("elasticmq.log"))?;
        let logging = checkout.root.join("scripts/lib/sqs/logback.xml");
        let child = Command::new("java")
            .args(["-Xmx512m", "-cp"])
            .arg(jars.join("*"))
            .arg(format!("-Dconfig.file={}", settings.display()))
            .arg(format!("-Dlogback.configurationFile={}", logging.display()))
            .arg("org.elasticmq.server.Main")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("java cannot be started: scripts/servers start sqs installs it")?;
        let server = Self {
            endpoint: format!("http://{address}"),
            process: child,
            folder,
        };
        let started = Instant::now();
        while let Err(error) = Queue::create(&server.endpoint, "probe").await {
            let log = server.folder.join("elasticmq.log");
            ensure!(
                started.elapsed() < START,
                "ElasticMQ does not answer ({error:#}); its log: {}",
                log.display()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(server)
    }

    /// Stops it and removes its folder.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.process.kill().await?;
        fs::remove_dir_all(&self.folder).context("the server's folder cannot be removed")
    }
}

/// Folder of the jars that `scripts/servers` installs.
fn jars() -> Result<PathBuf> {
    let own = env::var_os("HOME").map(|home| Path::new(&home).join(".cache/usher-tools"));
    let tools = env::var_os("USHER_TOOLS").map(PathBuf::from).or(own);
    let tools = tools.context("neither USHER_TOOLS nor HOME is set")?;
    let folders = fs::read_dir(&tools).with_context(|| tools.display().to_string())?;
    let installed = folders.flatten().map(|entry| entry.path()).find(|folder| {
        let name = folder.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with("elasticmq-")) && folder.join("complete").is_file()
    });
    installed.context("ElasticMQ is not installed: scripts/servers start sqs")
}

fn configuration(port: u16) -> String {
    format!(
        "node-address {{ protocol = http, host = \"127.0.0.1\", port = {port}, context-path = \"\" }}\n\
         rest-sqs {{ enabled = true, bind-hostname = \"127.0.0.1\", bind-port = {port} }}\n\
         rest-stats {{ enabled = false }}\n\
         generate-node-address = false\n\
         messages-storage {{ enabled = false }}\n\
         queues-storage {{ enabled = false }}\n\
         aws {{ region = us-east-1, accountId = 000000000000 }}\n"
    )
}

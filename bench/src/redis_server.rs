//! A Redis server for one measurement, empty at its start and with nothing else on it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use redis_link::Link;
use ticket_rush::host::free_address;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Maximum time until it accepts connections.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether each change is written to a file that is synchronised once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    EverySecond,
    Off,
}

impl Persistence {
    /// For the configuration that figures are printed with.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::EverySecond => "AOF synchronised every second",
            Self::Off => "AOF off",
        }
    }
}

/// The server; it is killed and its files are deleted when this is dropped.
#[derive(Debug)]
pub(crate) struct RedisServer {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl RedisServer {
    /// Starts one on a free port, with its files in a new folder below `folder`. It takes no
    /// snapshots and never rewrites its file, which would disturb only some of the measurements.
    pub(crate) async fn start(folder: &Path, persistence: Persistence) -> Result<Self> {
        let address = free_address(([127, 0, 0, 1], 0).into())?;
        let folder = folder.join(format!("redis-{}", address.port()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let append_only = match persistence {
            Persistence::EverySecond => "yes",
            Persistence::Off => "no",
        };
        let port = address.port().to_string();
        let settings = [
            ("--bind", "127.0.0.1"),
            ("--port", &port),
            ("--save", ""),
            ("--appendonly", append_only),
            ("--appendfsync", "everysec"),
            ("--auto-aof-rewrite-percentage", "0"),
            ("--maxmemory-policy", "noeviction"),
        ];
        let child = Command::new("redis-server")
            .args(settings.iter().flat_map(|(name, value)| [name, value]))
            .arg("--dir")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server cannot be started")?;
        let mut server = Self {
            child,
            folder,
            port: address.port(),
        };
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            let ended = server.child.try_wait()?;
            ensure!(ended.is_none(), "redis-server ended: {ended:?}");
            ensure!(began.elapsed() < PATIENCE, "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(server)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its address for clients.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection to it.
    pub(crate) fn link(&self) -> Result<Link> {
        Ok(Link::open(&self.url(), Duration::from_secs(10))?)
    }

    /// Bytes that its allocator has given out.
    pub(crate) async fn used_memory(&self, link: &Link) -> Result<u64> {
        let mut info = redis::cmd("INFO");
        info.arg("memory");
        let text = link.read_one("INFO", info).await?.word()?;
        let line = text.lines().find_map(|l| l.strip_prefix("used_memory:"));
        Ok(line.context("used_memory in INFO")?.trim().parse()?)
    }

    /// Ends it, and deletes its files when this returns.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("redis-server")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It writes no more, even if it has not ended yet: its files are open and without a name.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

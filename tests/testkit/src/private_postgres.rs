//! A Postgres of one test, which it may stop, freeze, promote and reconfigure.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

use crate::net::free_address;
use crate::small_disk::SmallDisk;
use crate::tls::Identity;
use crate::wait::eventually;

/// Who may connect how: every role and standby from this machine, without a password.
const TRUSTING: &str = "host all,replication all 127.0.0.1/32 trust";

/// A server on a free port of 127.0.0.1, with a role `usher` that owns the database `usher`. It is
/// killed and its data are removed when this value is dropped. Not durable: it never syncs.
#[derive(Debug)]
pub struct PrivatePostgres {
    /// Dropped before the folder that it is mounted on.
    disk: Option<SmallDisk>,
    folder: TempDir,
    port: u16,
    /// Further lines of its configuration, which a standby has as well.
    settings: String,
    server: Child,
}

impl PrivatePostgres {
    /// Starts a server that trusts every client of this machine.
    pub async fn start() -> Self {
        Self::with_settings("").await
    }

    /// Starts a server with further lines of `postgresql.conf`.
    pub async fn with_settings(settings: &str) -> Self {
        Self::create(settings, false).await
    }

    /// The same, on a file system of its own, where this process may mount one. Its standbys have
    /// theirs.
    pub async fn on_small_disk(settings: &str) -> Self {
        Self::create(settings, SmallDisk::is_possible()).await
    }

    async fn create(settings: &str, own_disk: bool) -> Self {
        let (disk, folder) = storage(own_disk);
        let data = folder.path().join("data");
        let made = program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=postgres"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb runs").success(), "initdb fails");
        let created = Self::on(disk, folder, settings).await;
        created.admin("CREATE ROLE usher LOGIN").await;
        created.admin("CREATE DATABASE usher OWNER usher").await;
        created
    }

    /// A standby of this server, which replicates as a stream. [`Self::promote`] makes it a primary.
    pub async fn standby(&self) -> Self {
        self.standby_through(self.port).await
    }

    /// The same, which reaches this server through a [`Relay`](crate::relay::Relay) at this port.
    pub async fn standby_through(&self, port: u16) -> Self {
        let (disk, folder) = storage(self.disk.is_some());
        let copied = program("pg_basebackup")
            .args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf"])
            .args([
                "--username=postgres",
                "--wal-method=stream",
                "--host=127.0.0.1",
            ])
            .arg(format!("--port={port}"))
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .status();
        assert!(copied.expect("pg_basebackup runs").success());
        Self::on(disk, folder, &self.settings).await
    }

    /// Starts on a folder that has data.
    async fn on(disk: Option<SmallDisk>, folder: TempDir, settings: &str) -> Self {
        let port = free_address().port();
        let path = folder.path().display();
        let configuration = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{path}'\n\
             fsync = off\nfull_page_writes = off\nshared_buffers = 16MB\nmax_connections = 60\n\
             max_wal_senders = 2\nautovacuum = off\nlog_min_messages = fatal\n{settings}\n"
        );
        let data = folder.path().join("data");
        append(&data.join("postgresql.conf"), &configuration);
        let server = Self {
            server: spawn(folder.path()),
            disk,
            folder,
            port,
            settings: settings.to_owned(),
        };
        server.allow(TRUSTING).await;
        server
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, without a login.
    pub fn url(&self) -> String {
        format!("postgres://127.0.0.1:{}/usher", self.port)
    }

    /// Replaces the rules by which clients of other addresses than the socket may connect
    /// (`pg_hba.conf`), and waits until they are in force.
    pub async fn allow(&self, rules: &str) {
        let rules = format!("local all,replication all trust\n{rules}\n");
        self.write("data/pg_hba.conf", rules.as_bytes());
        self.reload().await;
    }

    /// Serves TLS with this certificate, and accepts certificates of clients that `authority` (PEM)
    /// has issued. In force for new connections on return.
    pub async fn serve_tls(&self, identity: &Identity, authority: &[u8]) {
        self.write("data/server.crt", &identity.certificate_pem());
        self.write("data/server.key", &identity.key_pem());
        self.write("data/root.crt", authority);
        append(
            &self.folder.path().join("data/postgresql.conf"),
            "ssl = on\nssl_ca_file = 'root.crt'\n",
        );
        self.reload().await;
    }

    /// Runs a statement as superuser, in the database `postgres`.
    pub async fn admin(&self, sql: &str) {
        self.admin_in("postgres", sql).await;
    }

    /// Runs statements as superuser.
    pub async fn admin_in(&self, database: &str, sql: &str) {
        let mut connection = eventually("the private PostgreSQL answers", async || {
            self.connect(database).await.ok()
        })
        .await;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// What the server has logged: by default only what ends it.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log")
    }

    /// Connects as superuser.
    pub async fn connect(&self, database: &str) -> sqlx::Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path())
            .port(self.port)
            .username("postgres")
            .database(database);
        PgConnection::connect_with(&options).await
    }

    /// Stops the server and all its sessions at once, as a crash does.
    pub fn crash(&mut self) {
        self.signal_all(Signal::SIGKILL);
        let _ = self.server.wait();
        // Else a server that starts at once finds the shared memory in use.
        let _ = fs::remove_file(self.folder.path().join("data/postmaster.pid"));
    }

    /// Starts a server that has crashed.
    pub fn start_again(&mut self) {
        self.server = spawn(self.folder.path());
    }

    /// Its file system, if it has one of its own.
    pub fn disk(&self) -> Option<&SmallDisk> {
        self.disk.as_ref()
    }

    /// Whether the server runs. It ends by itself when it cannot recover, on a full disk for
    /// example.
    pub fn runs(&mut self) -> bool {
        matches!(self.server.try_wait(), Ok(None))
    }

    /// Stops every process of the server where it is, with all connections open.
    pub fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Continues a frozen server.
    pub fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    /// Makes a standby the primary, and waits until it takes writes.
    pub async fn promote(&self) {
        self.admin("SELECT pg_promote(true, 60)").await;
    }

    /// Reads the configuration again, and waits until it is in force for new connections.
    async fn reload(&self) {
        let loaded = "SELECT pg_conf_load_time()::text";
        let time = async || {
            let mut connection = self.connect("postgres").await.ok()?;
            let time = sqlx::query_scalar::<_, String>(loaded);
            time.fetch_one(&mut connection).await.ok()
        };
        let before = eventually("the private PostgreSQL answers", &time).await;
        let server = Pid::from_raw(self.server.id().cast_signed());
        kill(server, Signal::SIGHUP).expect("the server runs");
        eventually("the configuration is read", async || {
            time().await.filter(|now| *now != before)
        })
        .await;
    }

    /// The server and its children.
    fn signal_all(&self, signal: Signal) {
        let server = self.server.id();
        let children = format!("/proc/{server}/task/{server}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        for process in std::iter::once(server.cast_signed()).chain(children) {
            let _ = kill(Pid::from_raw(process), signal);
        }
    }

    /// A file that only the server may read.
    fn write(&self, file: &str, content: &[u8]) {
        let path = self.folder.path().join(file);
        fs::write(&path, content).expect("the folder is writable");
        let own = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&path, own).expect("permissions");
        give(&path);
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.crash();
    }
}

/// A folder that the server may use, on a file system of its own where that is required.
fn storage(own_disk: bool) -> (Option<SmallDisk>, TempDir) {
    let folder = TempDir::new().expect("a temporary folder");
    let disk = own_disk.then(|| SmallDisk::mount(folder.path()).expect("a file system in memory"));
    let own = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), own).expect("a folder that its server may read");
    give(folder.path());
    (disk, folder)
}

fn append(file: &Path, text: &str) {
    let mut content = fs::read_to_string(file).expect("a file of the server");
    content.write_str(text).expect("text");
    fs::write(file, content).expect("the folder is writable");
}

fn spawn(folder: &Path) -> Child {
    let mut log = fs::OpenOptions::new();
    let log = log
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("a file for the log");
    program("postgres")
        .arg("-D")
        .arg(folder.join("data"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres starts")
}

/// Postgres refuses to run as root: then the user `postgres` of its package runs it.
pub(crate) fn user() -> Option<(Uid, Gid)> {
    let user = || User::from_name("postgres").ok().flatten();
    Uid::effective().is_root().then(|| {
        let user = user().expect("the user postgres, of Debian's package postgresql");
        (user.uid, user.gid)
    })
}

/// Gives a file to the user that runs the server.
pub(crate) fn give(path: &Path) {
    if let Some((uid, gid)) = user() {
        chown(path, Some(uid.as_raw()), Some(gid.as_raw())).expect("root may give files away");
    }
}

fn program(name: &str) -> Command {
    let mut command = Command::new(folder_of_programs().join(name));
    command.current_dir("/");
    if let Some((uid, gid)) = user() {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command
}

/// The newest version that Debian's packages have installed, else the search path.
fn folder_of_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.parse::<u32>().ok()
    });
    versions.max().map_or_else(PathBuf::new, |newest| {
        Path::new("/usr/lib/postgresql")
            .join(newest.to_string())
            .join("bin")
    })
}

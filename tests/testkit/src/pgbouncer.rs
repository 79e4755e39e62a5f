//! A `PgBouncer` of one test, in transaction mode.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::net::free_address;
use crate::private_postgres::{give, user};
use crate::wait::until;

/// A pooler on a free port of 127.0.0.1. It is killed when this value is dropped.
#[derive(Debug)]
pub struct PgBouncer {
    _folder: TempDir,
    port: u16,
    pooler: Child,
}

/// The server behind a pooler.
#[derive(Debug, Clone, Copy)]
pub struct Behind<'a> {
    /// Its port on this machine.
    pub port: u16,
    /// The role by which the pooler logs in, for every client.
    pub user: &'a str,
    /// Password of the role.
    pub password: &'a str,
}

impl PgBouncer {
    /// Starts a pooler that gives each transaction of its clients any of at most `sessions` sessions
    /// of the server, and waits until it accepts connections. `settings`: further lines of its
    /// configuration. It accepts every client.
    pub async fn start(behind: Behind<'_>, sessions: u32, settings: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_address().port();
        let Behind {
            port: server,
            user: name,
            password,
        } = behind;
        let configuration = format!(
            "[databases]\n* = host=127.0.0.1 port={server} user={name} password={password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\nmax_client_conn = 1000\n\
             default_pool_size = {sessions}\n{settings}\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, configuration).expect("the folder is writable");
        for path in [folder.path(), &file] {
            let own = fs::Permissions::from_mode(0o700);
            fs::set_permissions(path, own).expect("permissions");
            give(path);
        }
        let mut command = Command::new(program());
        if let Some((uid, gid)) = user() {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let pooler = command
            .arg("--quiet")
            .arg(&file)
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts; it is Debian's package pgbouncer");
        let accepts = async || {
            let address = ("127.0.0.1", port);
            tokio::net::TcpStream::connect(address).await.is_ok()
        };
        until("the private pgbouncer accepts connections", accepts).await;
        Self {
            _folder: folder,
            port,
            pooler,
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.pooler.kill();
        let _ = self.pooler.wait();
    }
}

/// Debian keeps it outside of the search path of users.
fn program() -> &'static Path {
    let debian = Path::new("/usr/sbin/pgbouncer");
    if debian.exists() {
        debian
    } else {
        Path::new("pgbouncer")
    }
}

//! Child processes of a test, and servers that `scripts/servers` starts for it.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A child process that is killed when its test ends.
#[derive(Debug)]
pub struct KillOnDrop(pub Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the process exists. A zombie does not count.
pub fn is_running(pid: impl Into<u64>) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.into()))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

/// Runs `scripts/servers VERB SERVER` with a data folder of its own and these variables.
pub(crate) fn servers(
    verb: &str,
    server: &str,
    data: &Path,
    variables: &[(&str, String)],
) -> io::Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
    let output = Command::new(script)
        .args([verb, server])
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .env("USHER_DATA", data)
        // The variable names the shared servers.
        .env_remove("USHER_SERVERS")
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let failed = format!("scripts/servers {verb} {server}: {text}");
    Err(io::Error::other(failed))
}

/// Sends a signal to a server that [`servers`] has started in this folder. Returns its process id.
pub(crate) fn signal_server(server: &str, data: &Path, signal: Signal) -> u32 {
    let file = data.join(format!("run/{server}.pid"));
    let file = fs::read_to_string(file).expect("it runs");
    let pid: u32 = file
        .split(' ')
        .next()
        .and_then(|pid| pid.parse().ok())
        .expect("a process id");
    kill(Pid::from_raw(pid.cast_signed()), signal).expect("it runs");
    pid
}

/// Kills such a server, and waits until its process has ended.
pub(crate) fn kill_server(server: &str, data: &Path) {
    let pid = signal_server(server, data, Signal::SIGKILL);
    while is_running(pid) {
        std::thread::yield_now();
    }
}

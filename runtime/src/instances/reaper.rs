//! The reaper ends the functions' processes if the host is killed with SIGKILL.
//!
//! A parent-death signal would need unsafe code between fork and exec, and it spares grandchildren.
//! So a small shell (`reaper.sh`) in a process group of its own keeps the list of process groups.
//! The pipe to it closes when the host ends, however it ends; the shell then kills the groups that
//! are still listed. Without `/bin/sh` the pool works without a reaper.

use crate::lock::lock;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

const SCRIPT: &str = include_str!("reaper.sh");

/// The pipe to the shell.
#[derive(Debug)]
pub(super) struct Reaper {
    shell: Mutex<Option<(Child, ChildStdin)>>,
}

impl Reaper {
    pub(super) fn start() -> Self {
        let spawned = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "usher-reaper"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C in the terminal reaches the host's group; the reaper must outlive the host
            .process_group(0)
            .spawn();
        let shell = match spawned {
            Ok(mut child) => child.stdin.take().map(|pipe| (child, pipe)),
            Err(error) => {
                tracing::warn!(%error, "cannot run /bin/sh: functions may outlive this host if it \
                                        is killed");
                None
            }
        };
        Self {
            shell: Mutex::new(shell),
        }
    }

    fn send(&self, change: char, group: u32) {
        let mut shell = lock(&self.shell);
        if let Some((_, pipe)) = shell.as_mut()
            && writeln!(pipe, "{change} {group}").is_err()
        {
            tracing::warn!("the reaper has ended: functions may outlive this host if it is killed");
            *shell = None;
        }
    }

    /// Adds a process group to the list.
    pub(super) fn add(&self, group: u32) {
        self.send('+', group);
    }

    /// Removes a process group that ended.
    pub(super) fn remove(&self, group: u32) {
        self.send('-', group);
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        let shell = lock(&self.shell).take();
        if let Some((mut child, pipe)) = shell {
            drop(pipe); // end of file: the shell kills what is left and exits
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new("/bin/sleep")
            .arg("600")
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[test]
    fn the_end_of_the_host_ends_listed_groups_only() {
        let reaper = Reaper::start();
        let mut kept = sleeper();
        let mut doomed = sleeper();
        reaper.add(kept.id());
        reaper.add(doomed.id());
        reaper.remove(kept.id());
        drop(reaper);
        assert!(!doomed.wait().unwrap().success());
        assert!(kept.try_wait().unwrap().is_none());
        kept.kill().unwrap();
        kept.wait().unwrap();
    }
}

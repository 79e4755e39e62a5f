//! Nobody is left behind, even if the host is killed with SIGKILL.
//!
//! A parent-death signal would need unsafe code between fork and exec, and it spares grandchildren. So a tiny shell
//! (`guardian.sh`) in a process group of its own holds the list of process groups; the pipe to it closes when the host
//! ends, however it ends, and the shell then kills what is still on the list. Without `/bin/sh` the pool works, unguarded.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

const SCRIPT: &str = include_str!("guardian.sh");

/// The pipe to the shell.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Mutex<Option<(Child, ChildStdin)>>,
}

impl Guardian {
    pub(super) fn start() -> Self {
        let spawned = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "usher-guardian"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C in the terminal reaches the host's group; the guardian must outlive the host
            .process_group(0)
            .spawn();
        let shell = match spawned {
            Ok(mut child) => child.stdin.take().map(|pipe| (child, pipe)),
            Err(error) => {
                tracing::warn!(%error, "cannot run /bin/sh: functions may outlive this host if it is killed");
                None
            }
        };
        Self {
            shell: Mutex::new(shell),
        }
    }

    fn tell(&self, change: char, group: u32) {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pipe)) = shell.as_mut()
            && writeln!(pipe, "{change} {group}").is_err()
        {
            tracing::warn!("the guardian is gone: functions may outlive this host if it is killed");
            *shell = None;
        }
    }

    /// A process group started.
    pub(super) fn watch(&self, group: u32) {
        self.tell('+', group);
    }

    /// It ended.
    pub(super) fn forget(&self, group: u32) {
        self.tell('-', group);
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let shell = self
            .shell
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
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
    fn the_end_of_the_host_ends_what_is_still_listed_and_nothing_else() {
        let guardian = Guardian::start();
        let mut kept = sleeper();
        let mut doomed = sleeper();
        guardian.watch(kept.id());
        guardian.watch(doomed.id());
        guardian.forget(kept.id());
        drop(guardian);
        assert!(!doomed.wait().unwrap().success());
        assert!(kept.try_wait().unwrap().is_none());
        kept.kill().unwrap();
        kept.wait().unwrap();
    }
}

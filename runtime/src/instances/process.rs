//! Starting and ending a function's process.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::logs::MAX_LINE;
use super::rate_limiter::RateLimiter;
use super::reaper::Reaper;
use crate::descriptors;

/// Bytes between two checks of the rate.
const RATE_CHECK_BYTES: usize = 64 * 1024;

/// A running process, leader of a group of its own. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: u32,
    reaper: Arc<Reaper>,
}

impl Process {
    /// Starts `executable` in its own folder, with exactly this environment and this soft limit of
    /// open files.
    pub(super) fn start(
        executable: &Path,
        environment: BTreeMap<String, String>,
        open_files: Option<u64>,
        reaper: &Arc<Reaper>,
    ) -> std::io::Result<Self> {
        let child = Command::new(executable)
            .env_clear()
            .envs(environment)
            .current_dir(executable.parent().unwrap_or(Path::new("/")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // a group of its own: Ctrl-C in the terminal must drain the host, not kill its
            // functions, and a deadline must end what the function started, too
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child
            .id()
            .ok_or_else(|| std::io::Error::other("the process has no id"))?;
        reaper.add(group);
        // a process that has ended already has no limit to set; its supervisor notices the end
        if let Some(Err(error)) = open_files.map(|soft| descriptors::restore(group, soft)) {
            tracing::debug!(
                %error,
                pid = group,
                "a function's process keeps the host's limit of open files"
            );
        }
        Ok(Self {
            child,
            group,
            reaper: reaper.clone(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.group
    }

    /// Calls `line` with every line of standard output and standard error, until both are closed.
    /// The lines of an error's trace, which AWS' client for Python separates by carriage returns,
    /// are lines of their own.
    pub(super) fn forward_output(&mut self, line: impl Fn(String) + Clone + Send + 'static) {
        let line = catch_panics(line);
        let line = move |text: String| text.split('\r').for_each(|part| line(part.to_owned()));
        if let Some(out) = self.child.stdout.take() {
            tokio::spawn(forward(out, line.clone()));
        }
        if let Some(err) = self.child.stderr.take() {
            tokio::spawn(forward(err, line));
        }
    }

    /// Waits for the leader's end. Cancel safe.
    pub(super) async fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.child.wait().await
    }

    /// Ends the group: the leader and the processes that it started.
    pub(super) fn kill(&self) {
        signal(self.group, Signal::SIGKILL);
    }
}

/// Sends a signal to a process group.
pub(super) fn signal(group: u32, signal: Signal) {
    // an error means that the group is gone already
    let _ = killpg(Pid::from_raw(group.cast_signed()), signal);
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.reaper.remove(self.group);
    }
}

/// Keeps reading after a line that makes `line` panic: without a reader the pipe would fill up and
/// block the function.
fn catch_panics(line: impl Fn(String) + Clone) -> impl Fn(String) + Clone {
    move |text| {
        if catch_unwind(AssertUnwindSafe(|| line(text))).is_err() {
            tracing::error!(
                alarm = "log_line_lost",
                "a line that a function printed made the host's reader panic; the line is lost"
            );
        }
    }
}

async fn forward(source: impl AsyncRead + Unpin, line: impl Fn(String)) {
    let mut reader = BufReader::new(source);
    let mut pending = Vec::new();
    let mut rate_limiter = RateLimiter::new(Instant::now());
    let mut read = 0;
    while let Ok(chunk) = reader.fill_buf().await
        && !chunk.is_empty()
    {
        let end = chunk.iter().position(|byte| *byte == b'\n');
        pending.extend_from_slice(&chunk[..end.unwrap_or(chunk.len())]);
        let taken = end.map_or(chunk.len(), |end| end + 1);
        if end.is_some() {
            line(take_line(&mut pending));
        }
        reader.consume(taken);
        read += taken;
        if read >= RATE_CHECK_BYTES {
            tokio::time::sleep(rate_limiter.delay_after(Instant::now(), std::mem::take(&mut read)))
                .await;
        }
        while pending.len() > MAX_LINE {
            let rest = pending.split_off(MAX_LINE);
            line(take_line(&mut pending));
            pending = rest;
        }
    }
    if !pending.is_empty() {
        line(take_line(&mut pending));
    }
}

fn take_line(pending: &mut Vec<u8>) -> String {
    let bytes = std::mem::take(pending);
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(&bytes)).into_owned()
}

/// Which memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    Resident,
    /// The highest since the process started.
    Peak,
}

/// Resident memory of a process, bytes. `None` when the process is gone.
pub(crate) fn memory(pid: u32, which: Memory) -> Option<u64> {
    let field = match which {
        Memory::Resident => "VmRSS:",
        Memory::Peak => "VmHWM:",
    };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn output_is_split_at_line_ends_and_at_the_limit() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = lines.clone();
        let mut text = b"one\r\n\ntwo \xff\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE + 3]);
        forward(text.as_slice(), move |line| seen.lock().unwrap().push(line)).await;
        let lines = lines.lock().unwrap().clone();
        assert_eq!(&lines[..3], ["one", "", "two \u{fffd}"]);
        assert_eq!(lines[3].len(), MAX_LINE);
        assert_eq!(lines[4], "xxx");
    }

    #[tokio::test]
    async fn a_line_that_panics_its_reader_loses_no_other() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = lines.clone();
        let line = catch_panics(move |line: String| {
            assert_ne!(line, "bad", "on purpose");
            seen.lock().unwrap().push(line);
        });
        forward(&b"one\nbad\ntwo\n"[..], line).await;
        assert_eq!(*lines.lock().unwrap(), ["one", "two"]);
    }
}

//! Child processes of a test.

use std::process::Child;

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

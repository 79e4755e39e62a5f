//! Stops processes between invocations, as the service freezes them, where the plan of faults says
//! so.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Whether a process group is stopped.
#[derive(Debug, Default)]
pub(super) struct Freezer(bool);

impl Freezer {
    /// Stops the group until it thaws.
    pub(super) fn freeze(&mut self, group: Option<u32>) {
        self.0 = true;
        send(group, Signal::SIGSTOP);
    }

    /// Continues a stopped group.
    pub(super) fn thaw(&mut self, group: Option<u32>) {
        if std::mem::take(&mut self.0) {
            send(group, Signal::SIGCONT);
        }
    }
}

fn send(group: Option<u32>, signal: Signal) {
    if let Some(group) = group {
        // an error means that the group has ended, which its supervisor notices
        let _ = killpg(Pid::from_raw(group.cast_signed()), signal);
    }
}

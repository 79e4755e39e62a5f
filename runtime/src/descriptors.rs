//! Open files: the limit of this process, its division, and the errors that mean a shortage.
//!
//! Lambda's own environments have 1,024 (Lambda quota "File descriptors"), which functions keep.
//! The host needs more for many connections and processes, and raises its limit to the hard limit.

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::sources;
use sam_template::model::Application;

/// Descriptors of the host for one process of a function: two pipes, a listener, connections, some
/// spare.
const PER_PROCESS: u64 = 8;
/// Descriptors for the host's log, files, listeners and outgoing connections.
const OWN: u64 = 64;
/// Connections at most: functions of one machine cannot use more.
const MAX_CONNECTIONS: u64 = 8_192;
/// The highest limit that the host uses.
const MAX_LIMIT: u64 = 1 << 20;

/// What an application may use at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Processes of all functions together.
    pub(crate) processes: u64,
    /// Files of all sources together.
    sources: u64,
}

impl Needs {
    /// `default_concurrency`: processes of a function without reserved concurrency.
    pub(crate) fn of(app: &Application, default_concurrency: usize) -> Self {
        let processes =
            |reserved: Option<u32>| reserved.map_or(default_concurrency as u64, u64::from);
        Self {
            processes: app
                .functions
                .values()
                .map(|function| processes(function.concurrency))
                .sum(),
            sources: sources::planned(app)
                .iter()
                .filter(|source| source.enabled)
                .map(|source| source.files)
                .sum(),
        }
    }

    fn own(&self) -> u64 {
        OWN + self.sources
    }

    /// The limit that is enough for every process, and for as many connections, 256 at least.
    pub(crate) fn sufficient_limit(&self) -> u64 {
        let processes = self.processes * PER_PROCESS;
        // connections get at least a quarter
        let connections = self
            .processes
            .clamp(256, MAX_CONNECTIONS)
            .max(processes.div_ceil(3));
        self.own() + processes + connections
    }
}

/// The division of a limit. Its parts together stay below the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DescriptorPlan {
    /// The limit.
    pub(crate) limit: u64,
    /// Connections to the HTTP APIs and the Invoke API.
    pub(crate) connections: usize,
    /// Connections to the control port, which stays reachable however many others there are.
    pub(crate) control: usize,
    /// Processes of functions.
    pub(crate) processes: usize,
}

/// Divides a limit. Processes come first, but connections get at least a quarter of what the host
/// itself does not need.
pub(crate) fn plan(limit: u64, needs: &Needs) -> DescriptorPlan {
    let limit = limit.min(MAX_LIMIT);
    let rest = limit.saturating_sub(needs.own()).max(16);
    let connections = rest
        .saturating_sub(needs.processes * PER_PROCESS)
        .clamp((rest / 4).min(MAX_CONNECTIONS), MAX_CONNECTIONS);
    let control = (connections / 4).clamp(2, 32);
    DescriptorPlan {
        limit,
        connections: (connections - control) as usize,
        control: control as usize,
        processes: ((rest - connections) / PER_PROCESS).max(1) as usize,
    }
}

/// The soft limit of this process.
///
/// # Errors
/// The system does not report it.
pub(crate) fn allowed() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// The limit that [`raise`] can reach.
///
/// # Errors
/// The system does not report it.
pub(crate) fn allowed_at_most() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1.min(MAX_LIMIT))
}

/// Raises this process' limit as far as allowed. Returns the previous limit, which the functions'
/// processes keep.
///
/// # Errors
/// The limit cannot be read or set, and is unchanged.
pub(crate) fn raise() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard.min(MAX_LIMIT) {
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(MAX_LIMIT), hard)?;
    }
    Ok(soft)
}

/// Sets the limit of a function's process to the one that the host was started with.
pub(crate) fn restore(process: u32, soft: u64) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("no process id"))?;
    let maximum = getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)?.1;
    prlimit(
        Some(pid),
        Resource::Nofile,
        Rlimit {
            current: Some(soft.min(maximum)),
            maximum: Some(maximum),
        },
    )?;
    Ok(())
}

/// True for shortages of the machine, after which a retry may succeed: no open file, memory,
/// process, port or buffer is left, or an executable is still being written.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let Some(code) = error.raw_os_error() else {
        return false;
    };
    matches!(
        Errno::from_raw(code),
        Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOMEM
            | Errno::EAGAIN
            | Errno::ENOBUFS
            | Errno::EADDRINUSE
            | Errno::EADDRNOTAVAIL
            | Errno::ETXTBSY
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(processes: u64) -> Needs {
        Needs {
            processes,
            sources: 56,
        }
    }

    #[test]
    fn the_plan_stays_below_the_limit() {
        for limit in [64, 128, 256, 1024, 4096, 20_000, 1 << 20, u64::MAX] {
            for processes in [1, 16, 130, 2_000] {
                let plan = plan(limit, &needs(processes));
                let parts =
                    (plan.connections + plan.control) as u64 + plan.processes as u64 * PER_PROCESS;
                assert!(
                    parts + needs(processes).own() <= plan.limit.max(144 + OWN),
                    "{limit} {processes} {plan:?}"
                );
                assert!(
                    (plan.connections + plan.control) as u64 <= MAX_CONNECTIONS,
                    "{plan:?}"
                );
                assert!(
                    plan.connections > 0 && plan.control > 0 && plan.processes > 0,
                    "{plan:?}"
                );
            }
        }
    }

    #[test]
    fn the_sufficient_limit_is_sufficient() {
        for sources in [0, 56, 552] {
            for processes in 1..10_000 {
                let needs = Needs { processes, sources };
                let plan = plan(needs.sufficient_limit(), &needs);
                assert!(
                    plan.processes as u64 >= processes && plan.connections + plan.control >= 256,
                    "{needs:?} {plan:?}"
                );
            }
        }
    }

    #[test]
    fn only_passing_failures_are_shortages() {
        for code in [
            libc_code(Errno::EMFILE),
            libc_code(Errno::ENOMEM),
            libc_code(Errno::EAGAIN),
        ] {
            assert!(is_shortage(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in [
            libc_code(Errno::ENOENT),
            libc_code(Errno::EACCES),
            libc_code(Errno::ENOEXEC),
        ] {
            assert!(!is_shortage(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_shortage(&io::Error::other("else")));
    }

    fn libc_code(errno: Errno) -> i32 {
        errno as i32
    }
}

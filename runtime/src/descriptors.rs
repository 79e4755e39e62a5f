//! Open files: how many this process may have, what they are divided into, and which failures mean that the host is short.
//!
//! Lambda's own environments have 1,024 (Lambda quota "File descriptors"), which functions keep; the host needs more than that
//! for many connections and processes, and takes what the hard limit allows.

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::model::Application;

/// Descriptors that one process of a function takes of the host: two pipes, a listener, connections to it and some to spare.
const PER_PROCESS: u64 = 8;
/// What the host needs for itself: its log, files, listeners, and connections that it opens.
const OWN: u64 = 64;
/// A consumer's connections to brokers, its producer's, and pipes between threads.
const PER_KAFKA_MAPPING: u64 = 24;
/// Requests to a queue at one time.
const PER_QUEUE_MAPPING: u64 = 8;
/// More connections than these are of no use to functions of one machine.
const MOST_CONNECTIONS: u64 = 8_192;
/// A higher limit is not made use of.
const MOST: u64 = 1 << 20;

/// What an application may take at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Processes of all functions together.
    pub(crate) processes: u64,
    kafka: u64,
    queues: u64,
}

impl Needs {
    /// `default_concurrency`: processes of a function that reserves no number.
    pub(crate) fn of(app: &Application, default_concurrency: usize) -> Self {
        let processes =
            |reserved: Option<u32>| reserved.map_or(default_concurrency as u64, u64::from);
        Self {
            processes: app
                .functions
                .values()
                .map(|function| processes(function.concurrency))
                .sum(),
            kafka: app.kafka.iter().filter(|mapping| mapping.enabled).count() as u64,
            queues: app.sqs.iter().filter(|mapping| mapping.enabled).count() as u64,
        }
    }

    fn own(&self) -> u64 {
        OWN + self.kafka * PER_KAFKA_MAPPING + self.queues * PER_QUEUE_MAPPING
    }

    /// The limit with which nothing is short: every process, and as many connections as processes, but 256 at least.
    pub(crate) fn wanted(&self) -> u64 {
        let processes = self.processes * PER_PROCESS;
        // connections get a quarter in any case
        let connections = self
            .processes
            .clamp(256, MOST_CONNECTIONS)
            .max(processes.div_ceil(3));
        self.own() + processes + connections
    }
}

/// How a limit of open files is divided, so that its parts together stay below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The limit.
    pub(crate) limit: u64,
    /// Connections to the HTTP APIs and the Invoke API.
    pub(crate) connections: usize,
    /// Connections to the control port, which can be reached however many others there are.
    pub(crate) control: usize,
    /// Processes of functions.
    pub(crate) processes: usize,
}

/// Divides a limit. Processes come first, but connections get a quarter of what the host itself does not need.
pub(crate) fn plan(limit: u64, needs: &Needs) -> Plan {
    let limit = limit.min(MOST);
    let rest = limit.saturating_sub(needs.own()).max(16);
    let connections = rest
        .saturating_sub(needs.processes * PER_PROCESS)
        .clamp((rest / 4).min(MOST_CONNECTIONS), MOST_CONNECTIONS);
    let control = (connections / 4).clamp(2, 32);
    Plan {
        limit,
        connections: (connections - control) as usize,
        control: control as usize,
        processes: ((rest - connections) / PER_PROCESS).max(1) as usize,
    }
}

/// Open files that this process may have now.
///
/// # Errors
/// The system does not say.
pub(crate) fn allowed() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Open files that this process may have once its limit is raised.
///
/// # Errors
/// The system does not say.
pub(crate) fn allowed_at_most() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1.min(MOST))
}

/// Raises this process' limit as far as it may. Returns what it was, which the functions' processes keep.
///
/// # Errors
/// The limit cannot be read or set; it is what it was.
pub(crate) fn raise() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard.min(MOST) {
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(MOST), hard)?;
    }
    Ok(soft)
}

/// Gives a process of a function the limit that the host was started with.
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

/// True for failures of the machine that pass: no open file, memory, process, port or buffer is left, or a file that is being
/// written cannot be run yet. They say nothing of what was tried, which is to be tried again.
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
            kafka: 2,
            queues: 1,
        }
    }

    #[test]
    fn the_parts_stay_below_the_limit() {
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
                    (plan.connections + plan.control) as u64 <= MOST_CONNECTIONS,
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
    fn a_wanted_limit_leaves_nothing_short() {
        for (kafka, queues) in [(0, 0), (2, 1), (20, 9)] {
            for processes in 1..10_000 {
                let needs = Needs {
                    processes,
                    kafka,
                    queues,
                };
                let plan = plan(needs.wanted(), &needs);
                assert!(
                    plan.processes as u64 >= processes && plan.connections + plan.control >= 256,
                    "{needs:?} {plan:?}"
                );
            }
        }
    }

    #[test]
    fn only_failures_that_pass_are_shortages() {
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

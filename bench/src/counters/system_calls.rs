//! System calls of processes, counted by strace. A traced process is slower, so its calls are
//! counted in a window of their own, in which neither rate nor CPU is measured.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// Calls by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SystemCalls(BTreeMap<String, u64>);

/// Counts the calls of all threads of some processes for a time. `table` is a file for strace.
/// `None` if there is no strace, or if it may not trace them.
pub(crate) async fn count(pids: &[u32], span: Duration, table: &Path) -> Option<SystemCalls> {
    let mut strace = Command::new("timeout");
    let seconds = span.as_secs_f64().to_string();
    // strace writes its table when it is interrupted.
    strace
        .args(["--signal=INT", "--kill-after=10", &seconds])
        .args(["strace", "--quiet=all", "-c", "-f", "-o"])
        .arg(table);
    for pid in pids {
        strace.args(["-p", &pid.to_string()]);
    }
    strace
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    strace.status().await.ok()?;
    let text = std::fs::read_to_string(table).ok()?;
    Some(SystemCalls::parse(&text)).filter(|calls| !calls.0.is_empty())
}

impl SystemCalls {
    /// The table of `strace -c`: `% time  seconds  usecs/call  calls  [errors]  name`.
    fn parse(table: &str) -> Self {
        let row = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let name = *fields.last()?;
            fields.first()?.parse::<f64>().ok()?;
            let calls = fields.get(3)?.parse().ok()?;
            (name != "total").then(|| (name.to_owned(), calls))
        };
        Self(table.lines().filter_map(row).collect())
    }

    pub(crate) fn all(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The most frequent calls.
    pub(crate) fn top(&self, count: usize) -> Vec<(&str, u64)> {
        let mut calls: Vec<_> = self.0.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        calls.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        calls.truncate(count);
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_table_are_read_with_and_without_errors() {
        let calls = SystemCalls::parse(
            "% time     seconds  usecs/call     calls    errors syscall\n\
             ------ ----------- ----------- --------- --------- ----------------\n\
              60.00    0.000600           2       300           epoll_wait\n\
              40.00    0.000400           4       100        12 recvfrom\n\
             ------ ----------- ----------- --------- --------- ----------------\n\
             100.00    0.001000           2       400        12 total\n",
        );
        assert_eq!(calls.all(), 400);
        assert_eq!(calls.top(1), [("epoll_wait", 300)]);
    }
}

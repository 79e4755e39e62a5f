//! Where, when and by which command this run measures.

use std::fs;
use std::process::Command;

use crate::report::Provenance;

/// The machine, the commit and the command of this run. What cannot be found out is `?`.
pub(crate) fn current() -> Provenance {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let commit = ["describe", "--always", "--dirty", "--exclude=*"];
    Provenance {
        machine: machine(),
        load: load.split(' ').next().unwrap_or("?").to_owned(),
        date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        commit: output("git", &commit),
        command: format!("bench {}", arguments.join(" "))
            .trim_end()
            .to_owned(),
        versions: versions(),
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("?", |m| m.trim_start_matches([' ', '\t', ':']));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes: Option<f64> = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    let gibibytes = kibibytes.unwrap_or(0.0) / 1_048_576.0;
    format!("{cores} cores of {model}, {gibibytes:.0} GiB")
}

/// Versions of what a run depends on and a commit does not fix.
fn versions() -> Vec<String> {
    let kernel = format!("Linux {}", output("uname", &["-r"]));
    let rust = output("rustc", &["--version"]);
    let redis = output("redis-server", &["--version"]);
    let redis = redis
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="));
    let mut versions = vec![kernel, rust];
    versions.extend(redis.map(|version| format!("Redis {version}")));
    versions
}

/// The first line that a program prints.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let output = output.filter(|output| output.status.success());
    let text = output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => line.trim().to_owned(),
        _ => "?".to_owned(),
    }
}

//! Runs tests of the current test binary again, on other servers.

use std::process::Command;

use crate::redis_cluster::PrivateCluster;

/// As [`run_again`], on a Redis Cluster of three nodes: these variables have its address.
pub fn run_on_cluster(modules: &[&str], variables: &[&str]) {
    let cluster = PrivateCluster::start(3, 0);
    let url = cluster.url();
    let variables: Vec<_> = variables.iter().map(|name| (*name, url.as_str())).collect();
    run_again(modules, &variables);
}

/// Runs the tests whose names begin with one of `modules` in another process, with these variables.
/// Panics with their output if one fails, or if there are none.
pub fn run_again(modules: &[&str], variables: &[(&str, &str)]) {
    let binary = std::env::current_exe().expect("the path of this binary");
    let done = Command::new(binary)
        .args(modules)
        .args(["--test-threads", "4"])
        .envs(variables.iter().copied())
        .output()
        .expect("this binary runs");
    let text = String::from_utf8_lossy(&done.stdout);
    let nothing = text.contains("running 0 tests");
    assert!(
        done.status.success() && !nothing,
        "{modules:?} with {variables:?}:\n{text}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

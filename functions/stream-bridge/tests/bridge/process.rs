//! The program as a process: killed, and terminated.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::environment::{PATIENCE, TestEnvironment, endpoint, with};

struct Process(Child);

impl Process {
    fn start(environment: &TestEnvironment) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-bridge"));
        command
            .env_clear()
            .envs(environment.variables(&[("MODE", "always-on"), ("MAX_DELIVERIES", "1000")]));
        command.env("AWS_ENDPOINT_URL_SQS", endpoint());
        Self(command.stdout(Stdio::null()).spawn().expect("starts"))
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).expect("it runs");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Publishes entries and waits until some have arrived.
async fn publish_and_wait(environment: &Arc<TestEnvironment>, round: u32) {
    environment
        .publish_numbers(round * 50..round * 50 + 50)
        .await;
    environment.await_numbers(round * 50..round * 50 + 1).await;
}

#[tokio::test]
async fn a_repeatedly_killed_program_loses_nothing() {
    with(false, |environment| async move {
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..6_u32 {
            let process = Process::start(&environment);
            environment
                .publish_numbers(round * 50..round * 50 + 50)
                .await;
            // Kill it after some entries of this round, at a different point each time.
            let deadline = std::time::Instant::now() + PATIENCE;
            while seen.range(round * 50..).count() < 1 + round as usize * 7 {
                assert!(
                    std::time::Instant::now() < deadline,
                    "no entry of round {round} arrives"
                );
                seen.extend(
                    environment.receive(1).await.iter().map(|message| {
                        crate::environment::number(&crate::environment::body(message))
                    }),
                );
            }
            process.signal(Signal::SIGKILL);
        }
        let _last = Process::start(&environment);
        let deadline = std::time::Instant::now() + PATIENCE;
        while seen.len() < 300 {
            assert!(
                std::time::Instant::now() < deadline,
                "{} of 300 came",
                seen.len()
            );
            seen.extend(
                environment
                    .receive(1)
                    .await
                    .iter()
                    .map(|message| crate::environment::number(&crate::environment::body(message))),
            );
        }
        environment.all_acknowledged().await;
        assert_eq!(environment.dead_letters().await, []);
    })
    .await;
}

#[tokio::test]
async fn on_sigterm_the_program_leaves_its_group() {
    with(false, |environment| async move {
        for (round, signal) in [Signal::SIGTERM, Signal::SIGINT].into_iter().enumerate() {
            let mut process = Process::start(&environment);
            publish_and_wait(&environment, round as u32).await;
            environment.all_acknowledged().await;
            assert_eq!(environment.consumers().await, 1);
            process.signal(signal);
            let status = tokio::task::spawn_blocking(move || process.0.wait())
                .await
                .expect("no panic")
                .expect("ends");
            assert!(status.success(), "{signal}: {status}");
            assert_eq!(environment.consumers().await, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn the_program_names_all_missing_settings() {
    let output = Command::new(env!("CARGO_BIN_EXE_stream-bridge"))
        .env_clear()
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    for variable in ["ENV_PREFIX", "REDIS_CACHE_URL", "QUEUE_URL"] {
        assert!(text.contains(&format!("{variable} is missing")), "{text}");
    }
}

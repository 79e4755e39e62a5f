//! The program itself, on a server: killed without warning, and ended with.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::stage::{PATIENCE, Stage, endpoint, with};

struct Process(Child);

impl Process {
    fn start(stage: &Stage) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-bridge"));
        command
            .env_clear()
            .envs(stage.variables(&[("MODE", "always-on"), ("MAX_DELIVERIES", "1000")]));
        // The SDK finds these by itself.
        command
            .env("AWS_ENDPOINT_URL_SQS", endpoint())
            .env("AWS_REGION", "us-east-1");
        command
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local");
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

/// Publishes more and waits until some of it has arrived: the process is at work then.
async fn at_work(stage: &Arc<Stage>, round: u32) {
    stage.publish_numbers(round * 50..round * 50 + 50).await;
    stage.await_numbers(round * 50..round * 50 + 1).await;
}

#[tokio::test]
async fn killed_again_and_again_while_it_works_the_program_loses_nothing() {
    with(false, |stage| async move {
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..6_u32 {
            let process = Process::start(&stage);
            stage.publish_numbers(round * 50..round * 50 + 50).await;
            // Killed when some of this round have come, at a point that is another each time.
            let deadline = std::time::Instant::now() + PATIENCE;
            while seen.range(round * 50..).count() < 1 + round as usize * 7 {
                assert!(
                    std::time::Instant::now() < deadline,
                    "nothing of round {round} comes"
                );
                seen.extend(
                    stage
                        .receive(1)
                        .await
                        .iter()
                        .map(|message| crate::stage::number(&crate::stage::body(message))),
                );
            }
            process.signal(Signal::SIGKILL);
        }
        let _last = Process::start(&stage);
        let deadline = std::time::Instant::now() + PATIENCE;
        while seen.len() < 300 {
            assert!(
                std::time::Instant::now() < deadline,
                "{} of 300 came",
                seen.len()
            );
            seen.extend(
                stage
                    .receive(1)
                    .await
                    .iter()
                    .map(|message| crate::stage::number(&crate::stage::body(message))),
            );
        }
        stage.all_dealt_with().await;
        assert_eq!(stage.dead().await, []);
    })
    .await;
}

#[tokio::test]
async fn told_to_end_the_program_leaves_its_group_and_ends_well() {
    with(false, |stage| async move {
        for (round, signal) in [Signal::SIGTERM, Signal::SIGINT].into_iter().enumerate() {
            let mut process = Process::start(&stage);
            at_work(&stage, round as u32).await;
            stage.all_dealt_with().await;
            assert_eq!(stage.consumers().await, 1);
            process.signal(signal);
            let status = tokio::task::spawn_blocking(move || process.0.wait())
                .await
                .expect("no panic")
                .expect("ends");
            assert!(status.success(), "{signal}: {status}");
            assert_eq!(stage.consumers().await, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn without_settings_the_program_says_everything_that_is_missing() {
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

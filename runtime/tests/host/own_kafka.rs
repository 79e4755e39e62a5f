//! A Kafka of a test's own, on free ports, which the test may stop, kill and damage.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::kafka::free_address;

/// A Kafka of this test's own, which it may stop.
pub(crate) struct OwnKafka {
    data: TempDir,
    port: u16,
    controller: u16,
    /// For logins, and for client certificates.
    secured: Option<[u16; 2]>,
}

impl OwnKafka {
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    /// With encrypted listeners as well.
    pub(crate) fn secured() -> Self {
        Self::with(Some([free_address().port(), free_address().port()]))
    }

    fn with(secured: Option<[u16; 2]>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let kafka = Self {
            data,
            port: free_address().port(),
            controller: free_address().port(),
            secured,
        };
        kafka.script("start");
        kafka
    }

    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Servers that ask for a login, and those that ask for a certificate.
    pub(crate) fn secured_brokers(&self) -> [String; 2] {
        self.secured
            .unwrap()
            .map(|port| format!("127.0.0.1:{port}"))
    }

    /// A file of its certificates.
    pub(crate) fn pem(&self, name: &str) -> String {
        std::fs::read_to_string(self.data.path().join("kafka/tls").join(name)).unwrap()
    }

    /// Ends it in an orderly way; its data stay.
    pub(crate) fn stop(&self) {
        self.script("stop");
    }

    /// Starts it after an end of any kind. A client that looks for it meanwhile may hold its port for a moment: a connection from a
    /// port to itself.
    pub(crate) fn start_again(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(why) = self.run("start") {
            assert!(
                why.contains("is in use") && Instant::now() < deadline,
                "{why}"
            );
        }
    }

    /// Ends it at once, as a power cut does.
    pub(crate) fn kill(&self) {
        let file = std::fs::read_to_string(self.data.path().join("run/kafka.pid")).unwrap();
        let pid = Pid::from_raw(file.split(' ').next().unwrap().parse().unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
        while std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
        {
            std::thread::yield_now();
        }
    }

    /// The files of a partition's log.
    pub(crate) fn log_files(&self, topic: &str, partition: i32) -> Vec<PathBuf> {
        let folder = self
            .data
            .path()
            .join(format!("kafka/log/{topic}-{partition}"));
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect()
    }

    fn script(&self, command: &str) {
        self.run(command).unwrap();
    }

    fn run(&self, command: &str) -> Result<(), String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers");
        let mut command_line = Command::new(script);
        for (name, port) in ["KAFKA_SASL_PORT", "KAFKA_MTLS_PORT"]
            .into_iter()
            .zip(self.secured.into_iter().flatten())
        {
            command_line.env(name, port.to_string());
        }
        let output = command_line
            .args([command, "kafka"])
            .env("USHER_DATA", self.data.path())
            .env("KAFKA_PORT", self.port.to_string())
            .env("KAFKA_CONTROLLER_PORT", self.controller.to_string())
            .env_remove("USHER_SERVERS")
            .output()
            .unwrap();
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "scripts/servers {command} kafka: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        self.script("stop");
    }
}

//! A private SQS: `ElasticMQ`.

use std::io;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::net::free_address;
use crate::process::{kill_server, servers, signal_server};

/// A local SQS on a free port. It is stopped and its data are removed when this value is dropped.
#[derive(Debug)]
pub struct PrivateSqs {
    data: TempDir,
    port: u16,
}

impl PrivateSqs {
    /// Starts one, and waits until it answers.
    pub fn start() -> Self {
        let sqs = Self {
            data: TempDir::new().expect("a temporary folder"),
            port: free_address().port(),
        };
        sqs.start_again();
        sqs
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it. Its queues and messages are on disk.
    pub fn kill(&self) {
        kill_server("sqs", self.data.path());
    }

    /// Starts it after a kill.
    pub fn start_again(&self) {
        self.script("start").expect("the local SQS starts");
    }

    /// Stops or continues its process: `SIGSTOP`, `SIGCONT`. Its connections stay open.
    pub fn signal(&self, signal: Signal) {
        signal_server("sqs", self.data.path(), signal);
    }

    fn script(&self, verb: &str) -> io::Result<()> {
        let variables = [("SQS_PORT", self.port.to_string())];
        servers(verb, "sqs", self.data.path(), &variables)
    }
}

impl Drop for PrivateSqs {
    fn drop(&mut self) {
        if let Err(error) = self.script("stop") {
            let folder = self.data.path().display();
            eprintln!("cannot stop the private SQS in {folder}: {error}");
        }
    }
}

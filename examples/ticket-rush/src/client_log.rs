//! The client log: one line of JSON for each answer that a client received. The audit reads it
//! (docs/reference/audit.md).

use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The time of this machine, milliseconds since 1970.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}

/// Appends lines. Clones share the file.
#[derive(Debug, Clone)]
pub struct ClientLog(Arc<Mutex<LineWriter<File>>>);

impl ClientLog {
    /// Creates `clients.jsonl` in `dir`.
    pub fn create(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join("clients.jsonl");
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(LineWriter::new(file)))))
    }

    /// Appends one line. Its member `t` is the time of this machine, for human readers.
    pub fn write(&self, event: &str, mut fields: Value) {
        fields["t"] = json!(now_ms());
        fields["event"] = json!(event);
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file, "{fields}") {
            // An incomplete log proves nothing, so the run ends.
            eprintln!("cannot write the client log: {error}");
            std::process::exit(2);
        }
    }
}

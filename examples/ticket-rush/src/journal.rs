//! The client log: one JSON object a line for every answer a client was given. The audit judges by it (docs/reference/audit.md).

use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Appends lines; cheap to clone, shared by all buyers of a run.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Mutex<LineWriter<File>>>);

impl Journal {
    /// A new log, `clients.jsonl` in `dir`.
    pub fn create(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        let path = dir.join("clients.jsonl");
        let file =
            File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(LineWriter::new(file)))))
    }

    /// Adds one line; `t` is the client's clock, for readers only.
    pub fn write(&self, event: &str, mut fields: Value) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as u64);
        fields["t"] = json!(now);
        fields["event"] = json!(event);
        let line = format!("{fields}\n");
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            // A log with holes proves nothing: better no run at all.
            eprintln!("the client log cannot be written: {error}");
            std::process::exit(2);
        }
    }
}

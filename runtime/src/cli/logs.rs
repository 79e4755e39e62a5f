//! `usher logs`: shows the log in the state folder.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::arguments::LogsArguments;
use super::error::CommandError;
use crate::instances::{LogRecord, log_files};
use crate::terminal;

/// Pause between two looks for new lines.
const PAUSE: Duration = Duration::from_millis(200);

/// Lines of one call that are held until its end shows whether it failed.
const MAX_HELD: usize = 1_000;
/// Calls whose lines are held; beyond, those of a call whose end is lost are removed.
const MAX_CALLS: usize = 1_000;

/// Prints the lines that the arguments select.
pub(super) fn run(arguments: &LogsArguments) -> Result<ExitCode, CommandError> {
    let since = arguments.since.as_deref().map(since).transpose()?;
    let folder = arguments.state.folder(&arguments.template);
    let mut shown = Shown {
        arguments,
        since,
        held: HashMap::new(),
        printed: 0,
        functions: BTreeSet::new(),
    };
    let [before, current] = log_files(&folder);
    if !current.exists() {
        return Err(CommandError::configuration(format!(
            "{} has no log: no host of this version has run with this state folder. Start one with \
             `usher up`, or name its folder with --state.",
            folder.display()
        )));
    }
    let read = shown.files(&before, &current, arguments.follow);
    match read {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::failure(
            format!("the log in {} cannot be read: {error}", folder.display()),
        )),
        _ => {
            if shown.printed == 0 {
                terminal::report(&shown.nothing());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The time that `--since` names.
fn since(text: &str) -> Result<Timestamp, CommandError> {
    let age = || {
        let age = text.parse::<SignedDuration>().ok()?;
        Timestamp::now().checked_sub(age.abs()).ok()
    };
    text.parse::<Timestamp>().ok().or_else(age).ok_or_else(|| {
        CommandError::configuration(format!(
            "--since {text} is neither an age nor a time. Write 90s, 10m, 2h, or \
             2026-01-31T09:00:00Z."
        ))
    })
}

struct Shown<'a> {
    arguments: &'a LogsArguments,
    since: Option<Timestamp>,
    /// With `--failed`, lines of calls that have not ended, by request id.
    held: HashMap<String, Vec<LogRecord>>,
    /// Lines that were printed.
    printed: usize,
    /// The functions of all lines.
    functions: BTreeSet<String>,
}

impl Shown<'_> {
    fn files(&mut self, before: &Path, current: &PathBuf, follow: bool) -> io::Result<()> {
        if before.exists() {
            self.lines(&mut BufReader::new(File::open(before)?))?;
        }
        let mut file = BufReader::new(File::open(current)?);
        loop {
            self.lines(&mut file)?;
            if !follow {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
            // The host has replaced the file: what it wrote to the older one comes first.
            let now = std::fs::metadata(current).map(|file| file.ino()).ok();
            if now.is_some_and(|now| file.get_ref().metadata().is_ok_and(|old| old.ino() != now)) {
                self.lines(&mut file)?;
                file = BufReader::new(File::open(current)?);
            }
        }
    }

    /// Reads complete lines; an incomplete one stays for the next call.
    fn lines(&mut self, file: &mut BufReader<File>) -> io::Result<()> {
        loop {
            let mut line = String::new();
            if file.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if !line.ends_with('\n') {
                return file.seek_relative(-(line.len() as i64));
            }
            // A host that was killed may have left a part of a line.
            if let Ok(record) = strict_json::from_str::<LogRecord>(&line) {
                self.record(record)?;
            }
        }
    }

    /// Says that no line was selected, and what there is.
    fn nothing(&self) -> String {
        let names: Vec<&str> = self.functions.iter().map(String::as_str).collect();
        let names = match names[..] {
            [] => "no function".to_owned(),
            _ => names.join(", "),
        };
        format!("usher: no line of the log is selected. The log has lines of {names}.\n")
    }

    fn record(&mut self, record: LogRecord) -> io::Result<()> {
        if let Some(name) = &record.function
            && !self.functions.contains(name)
        {
            self.functions.insert(name.clone());
        }
        let wanted = &self.arguments.function;
        let is_shown = wanted.is_none() || *wanted == record.function;
        let is_shown = is_shown && self.since.is_none_or(|since| record.time >= since);
        let id = &self.arguments.request_id;
        if !is_shown || id.is_some() && *id != record.request_id {
            return Ok(());
        }
        if !self.arguments.failed {
            return self.print(&record);
        }
        let Some(id) = record.request_id.clone() else {
            return Ok(());
        };
        if !record.is_call() {
            if self.held.len() >= MAX_CALLS && !self.held.contains_key(&id) {
                self.held.clear();
            }
            let held = self.held.entry(id).or_default();
            if held.len() < MAX_HELD {
                held.push(record);
            }
            return Ok(());
        }
        let held = self.held.remove(&id).unwrap_or_default();
        if !record.is_failed_call() {
            return Ok(());
        }
        for line in held.iter().chain([&record]) {
            self.print(line)?;
        }
        Ok(())
    }

    fn print(&mut self, record: &LogRecord) -> io::Result<()> {
        let text = if self.arguments.json {
            serde_json::to_string(record)?
        } else {
            record.to_string()
        };
        self.printed += 1;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", terminal::line(&text))?;
        out.flush()
    }
}

//! Runs parts one after the other, and writes what they have measured.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use ticket_rush::locations::Checkout;

use crate::figures::take_groups;
use crate::report::page::{DRAWINGS, page};
use crate::report::{Part, Provenance, Record};
use crate::{leftovers, provenance};

/// A run of some parts.
#[derive(Debug)]
pub(crate) struct Runner {
    /// The only part to run; `None` for all.
    only: Option<String>,
    file: PathBuf,
    provenance: Provenance,
    record: Record,
}

impl Runner {
    /// Begins a run of one part, or of all, that is recorded in `file`.
    pub(crate) fn begin(only: Option<String>, file: PathBuf) -> Self {
        let provenance = provenance::current();
        println!(
            "{}; servers, clients and functions share them; load before the start {}",
            provenance.machine, provenance.load
        );
        Self {
            only,
            file,
            provenance,
            record: Record::default(),
        }
    }

    /// Runs a part, if it is to run. After one that fails the others run, without what it has left
    /// on the servers.
    pub(crate) async fn run(&mut self, name: &str, part: impl Future<Output = Result<()>>) {
        if self.only.as_deref().is_some_and(|only| only != name) {
            return;
        }
        let began = Instant::now();
        let error = Box::pin(part).await.err();
        let error = error.map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            eprintln!("bench {name}: {error}");
            leftovers::remove_all().await;
        }
        leftovers::forget();
        let seconds = began.elapsed().as_secs_f64();
        println!("\n  {name} took {seconds:.0} s");
        self.record.parts.push(Part {
            name: name.to_owned(),
            provenance: self.provenance.clone(),
            seconds,
            error,
            groups: take_groups(),
        });
        // After each part, so that a run that is cut keeps what it has measured.
        if let Err(error) = self.save() {
            eprintln!("bench {name}: {error:#}");
        }
    }

    /// Writes the parts of this run into the file, those of a run of one part beside the others
    /// that it has.
    fn save(&self) -> Result<Record> {
        let before = if self.file.exists() && self.only.is_some() {
            read(&self.file)?
        } else {
            Record::default()
        };
        let record = before.merged(self.record.clone());
        write(&self.file, &serde_json::to_string_pretty(&record)?)?;
        Ok(record)
    }

    /// Adds the parts of this run to the record in the file, and renders the page into `docs` if
    /// one is given. Fails if a part has failed.
    pub(crate) fn finish(self, docs: Option<&Path>) -> Result<()> {
        let failed: Vec<&str> = self
            .record
            .parts
            .iter()
            .filter(|part| part.error.is_some())
            .map(|part| part.name.as_str())
            .collect();
        let failed = failed.join(", ");
        let record = self.save()?;
        println!("\nrecorded in {}", self.file.display());
        if let Some(docs) = docs {
            write_page(&record, docs)?;
        }
        if !failed.is_empty() {
            bail!("these parts have failed: {failed}");
        }
        Ok(())
    }
}

/// The file of the record, unless another is named.
pub(crate) fn default_file() -> Result<PathBuf> {
    Ok(Checkout::find()?.data().join("bench/record.json"))
}

/// Renders the page of the merged records of some files into `docs`.
pub(crate) fn render(files: &[PathBuf], docs: &Path) -> Result<()> {
    let records = files.iter().map(|file| read(file));
    let record = records
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .fold(Record::default(), Record::merged);
    write_page(&record, docs)
}

fn read(file: &Path) -> Result<Record> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("no record of a run in {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no record", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

fn write_page(record: &Record, docs: &Path) -> Result<()> {
    let page = page(record);
    let folder = docs.join(DRAWINGS);
    // Drawings of figures that no longer exist would stay.
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be replaced", folder.display()))?;
    }
    for (name, drawing) in &page.drawings {
        write(&folder.join(name), drawing)?;
    }
    let file = docs.join("benchmarks.md");
    write(&file, &page.markdown)?;
    println!(
        "written: {} and {} drawings",
        file.display(),
        page.drawings.len()
    );
    Ok(())
}

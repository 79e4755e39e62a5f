//! The programs of one host whose functions have a clock of their own: scripts that start each
//! function with libfaketime, of Debian's package, which reads its offset from a file.
//!
//! Only the wall clock is shifted. Time limits of the functions use the monotonic one, as that of
//! another machine would run at the same speed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ticket_rush::locations::Checkout;

/// Where Debian's packages have the library, below the folder of the architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
const LIBRARIES: [&str; 2] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

/// What libfaketime creates in shared memory, before the id of its process.
const SHARED: [&str; 2] = ["faketime_shm_", "sem.faketime_sem_"];

/// The clock of a host's functions.
#[derive(Debug)]
pub struct FunctionClock(PathBuf);

impl FunctionClock {
    /// Adds seconds to the time of all functions of this host, within a second.
    pub fn shift(&self, seconds: i64) -> Result<()> {
        // Replaced at once: a function may read it at any time.
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        fs::rename(&new, &self.0).context("the clock of functions cannot be written")
    }
}

impl Drop for FunctionClock {
    /// Removes what libfaketime leaves in shared memory for each process that was killed.
    fn drop(&mut self) {
        let left = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        for file in left {
            let name = file.file_name();
            let name = name.to_string_lossy();
            let process = SHARED.iter().find_map(|prefix| name.strip_prefix(prefix));
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                // Another run may have removed it.
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

/// Makes a folder of programs in `folder` that stands for the checkout's. Returns the checkout with
/// it and the clock, or none if libfaketime is not installed.
pub fn with_clock(checkout: &Checkout, folder: &Path) -> Result<Option<(Checkout, FunctionClock)>> {
    let mut libraries = LIBRARIES
        .iter()
        .map(|folder| Path::new(folder).join(LIBRARY));
    let Some(library) = libraries.find(|library| library.is_file()) else {
        return Ok(None);
    };
    let name = checkout.programs.file_name().context("a folder")?;
    let programs = folder.join("programs").join(name);
    fs::create_dir_all(&programs)?;
    let clock = FunctionClock(folder.join("clock"));
    clock.shift(0)?;
    for entry in fs::read_dir(checkout.root.join("functions"))? {
        let function = entry?.file_name();
        let script = format!(
            "#!/bin/sh\nexec env LD_PRELOAD='{}' FAKETIME_TIMESTAMP_FILE='{}' \
             FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 '{}'\n",
            library.display(),
            clock.0.display(),
            checkout.programs.join(&function).display(),
        );
        let path = programs.join(&function);
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    symlink(checkout.program("usher")?, programs.join("usher"))?;
    let checkout = Checkout {
        root: checkout.root.clone(),
        programs,
    };
    Ok(Some((checkout, clock)))
}

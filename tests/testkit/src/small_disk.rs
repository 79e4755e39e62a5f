//! A file system of its own for one server, which can be full.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;

/// Room that a limited file system has beyond what is used, in bytes: none for another segment of a
/// log. The size cannot be less than what is used meanwhile.
const MARGIN: u64 = 512 * 1024;
/// The use may grow between its reading and the change: then it is read again.
const ATTEMPTS: u32 = 10;
/// Size without a limit.
const SIZE: &str = "2g";

/// A file system in memory. It is unmounted when this value is dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Whether this process may mount one: it needs to be root, and outside of a container that
    /// forbids it.
    pub fn is_possible() -> bool {
        if !Uid::effective().is_root() {
            return false;
        }
        let folder = tempfile::tempdir();
        folder.is_ok_and(|folder| Self::mount(folder.path()).is_ok())
    }

    /// Mounts one on an empty folder.
    ///
    /// # Errors
    /// If this process may not.
    pub fn mount(folder: &Path) -> io::Result<Self> {
        let options = format!("size={SIZE},mode=0755");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder))?;
        Ok(Self(folder.to_owned()))
    }

    /// From now on there is no room for more than is used.
    ///
    /// # Errors
    /// If its size cannot be read or changed.
    pub fn fill(&self) -> io::Result<()> {
        for _ in 1..ATTEMPTS {
            if self.resize(&(self.used()? + MARGIN).to_string()).is_ok() {
                return Ok(());
            }
        }
        self.resize(&(self.used()? + MARGIN).to_string())
    }

    fn used(&self) -> io::Result<u64> {
        let output = Command::new("df")
            .args(["--output=used", "--block-size=1"])
            .arg(&self.0)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let used = text
            .lines()
            .nth(1)
            .and_then(|line| line.trim().parse().ok());
        used.ok_or_else(|| io::Error::other("df prints no size"))
    }

    /// There is room again.
    ///
    /// # Errors
    /// If its size cannot be changed.
    pub fn free(&self) -> io::Result<()> {
        self.resize(SIZE)
    }

    fn resize(&self, size: &str) -> io::Result<()> {
        let options = format!("remount,size={size}");
        run(Command::new("mount").args(["-o", &options]).arg(&self.0))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process of the server may be about to end.
        if let Err(error) = run(Command::new("umount").arg("-l").arg(&self.0)) {
            eprintln!("cannot unmount {}: {error}", self.0.display());
        }
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_full_disk_takes_no_file_until_it_is_freed() {
        if !SmallDisk::is_possible() {
            eprintln!("skipped: this process may not mount a file system");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let disk = SmallDisk::mount(folder.path()).unwrap();
        let file = folder.path().join("file");
        let megabyte = vec![7; 1 << 20];
        fs::write(&file, &megabyte).unwrap();
        disk.fill().unwrap();
        let more = folder.path().join("more");
        let full = fs::write(&more, &megabyte).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        disk.free().unwrap();
        fs::write(&more, &megabyte).unwrap();
    }
}

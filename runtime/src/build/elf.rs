//! Checks by its first bytes that an executable is for this machine.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::ExecutableError;

/// Values of `e_machine` and their names.
const MACHINES: [(u16, &str); 4] = [(62, "x86_64"), (183, "aarch64"), (3, "x86"), (40, "arm")];

/// Checks permission, format and architecture.
pub(super) fn check(file: &Path) -> Result<(), ExecutableError> {
    let unreadable = |error| ExecutableError::Unreadable {
        file: file.to_owned(),
        error,
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(ExecutableError::NotExecutable(file.to_owned()));
    }
    let mut head = [0; 20];
    let mut opened = File::open(file).map_err(unreadable)?;
    let length = opened.read(&mut head).map_err(unreadable)?;
    match machine(&head[..length]) {
        // A script with an interpreter runs anywhere.
        _ if head.starts_with(b"#!") => Ok(()),
        Some(name) if name == std::env::consts::ARCH => Ok(()),
        Some(machine) => Err(ExecutableError::OtherMachine {
            file: file.to_owned(),
            machine,
        }),
        None => Err(ExecutableError::NotLinux(file.to_owned())),
    }
}

/// The architecture in an ELF header.
fn machine(head: &[u8]) -> Option<&'static str> {
    let magic = head.get(..4)?;
    let order = head.get(5)?;
    let machine = head.get(18..20)?;
    if magic != b"\x7fELF" {
        return None;
    }
    let bytes = [machine[0], machine[1]];
    let number = if *order == 2 {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    };
    Some(
        MACHINES
            .iter()
            .find(|(known, _)| *known == number)
            .map_or("another architecture", |(_, name)| name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    fn elf(machine: u8) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[18] = machine;
        head
    }

    #[test]
    fn only_what_this_machine_can_run_passes() {
        let (own, foreign) = if std::env::consts::ARCH == "x86_64" {
            (62, 183)
        } else {
            (183, 62)
        };
        check(file(&elf(own), 0o755).path()).unwrap();
        check(file(b"#!/bin/sh\n", 0o755).path()).unwrap();
        assert!(
            check(file(&elf(foreign), 0o755).path())
                .unwrap_err()
                .to_string()
                .contains("is built for")
        );
        assert!(
            check(file(&elf(own), 0o644).path())
                .unwrap_err()
                .to_string()
                .contains("chmod +x")
        );
        assert!(
            check(file(b"PK", 0o755).path())
                .unwrap_err()
                .to_string()
                .contains("not a Linux executable")
        );
    }
}

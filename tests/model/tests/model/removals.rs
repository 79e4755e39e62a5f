//! The removals of the shipped code fit it, and the reference names all of them.
//!
//! `scripts/protections` runs them; it builds the functions once more.

use std::fs;
use std::path::{Path, PathBuf};

use model::Protection;

#[allow(dead_code, reason = "only its files are read here")]
#[path = "../../removals/removal.rs"]
mod removal;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn removal_of(protection: Protection) -> String {
    read(&root().join("tests/model/removals").join(protection.name()))
}

/// Program and test of each trial.
fn trials(removal: &str) -> impl Iterator<Item = (&str, &str)> {
    let trials = removal
        .lines()
        .filter_map(|line| line.strip_prefix("trial "));
    trials.map(|trial| trial.split_once(' ').expect("a program and a test"))
}

/// The file of a text that a removal edits.
fn source_of(text: &str) -> PathBuf {
    let path = match text.split_once('/') {
        Some(("delay", script)) => format!("crates/delay-queue/src/lua/{script}.lua"),
        Some((module, script)) => format!("shared/src/{module}/lua/{script}.lua"),
        None if text == "sale" => "shared/src/store/migrations/0001_sale.sql".to_owned(),
        None => format!("shared/src/store/sql/{text}.sql"),
    };
    root().join(path)
}

#[test]
fn every_removal_fits_the_text_that_it_edits() {
    for protection in Protection::ALL {
        for edit in removal::read_edits(&removal_of(protection)) {
            let text = read(&source_of(&edit.text));
            assert_ne!(edit.apply(&text), text, "{}", protection.name());
        }
    }
}

#[test]
fn every_protection_has_a_removal_with_trials() {
    let folder = fs::read_dir(root().join("tests/model/removals")).expect("a folder");
    let names = folder.map(|file| file.expect("a file").file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let mut found: Vec<String> = names.filter(|name| name != "removal.rs").collect();
    found.sort_unstable();
    let mut names = Protection::ALL.map(Protection::name);
    names.sort_unstable();
    assert_eq!(found, names);
    let programs = ["functions", "crates", "."].map(|folder| root().join(folder));
    for protection in Protection::ALL {
        let removal = removal_of(protection);
        assert_ne!(trials(&removal).count(), 0, "{}", protection.name());
        for (program, test) in trials(&removal) {
            let (module, function) = test.rsplit_once("::").expect("a module and a function");
            let module = module.replace("::", "/");
            let packages = programs
                .iter()
                .flat_map(|folder| fs::read_dir(folder).expect("read"));
            let is_there = packages.flatten().any(|package| {
                let folder = package.path().join("tests").join(program);
                let file = fs::read_to_string(folder.join(format!("{module}.rs")));
                file.is_ok_and(|text| text.contains(&format!("fn {function}(")))
            });
            assert!(is_there, "{}: no test {program} {test}", protection.name());
        }
    }
}

#[test]
fn the_reference_names_every_removal_and_its_trials() {
    let page = read(&root().join("docs/reference/protections.md"));
    for protection in Protection::ALL {
        let begin = format!("| {} |", protection.name().replace('-', " "));
        let row = page.lines().find(|line| line.starts_with(&begin));
        let row = row.unwrap_or_else(|| panic!("no row {begin}"));
        for (program, test) in trials(&removal_of(protection)) {
            assert!(
                row.contains(&format!("`{program} {test}`")),
                "{begin} {program} {test}"
            );
        }
    }
}

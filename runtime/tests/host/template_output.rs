//! Templates as they are met outside: what each comes to, and what is said of the parts that are
//! not run.
//!
//! A folder each under `tests/templates`: `expected.txt` is the picture that `usher template`
//! draws, `warnings.txt` what it warns of, a line each. `{folder}` stands for the folder.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The picture, and the warnings from the file's name on.
fn drawn(folder: &Path) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["template"])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}: {said}",
        folder.display()
    );
    let warnings = said
        .lines()
        .filter_map(|line| Some(format!("{}\n", &line[line.find("template.yaml:")?..])))
        .collect();
    (
        String::from_utf8(output.stdout)
            .unwrap()
            .replace(&folder.display().to_string(), "{folder}"),
        warnings,
    )
}

#[test]
fn templates_of_the_wild_resolve_and_say_what_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let (picture, warnings) = drawn(&folder);
        for (file, got) in [("expected.txt", picture), ("warnings.txt", warnings)] {
            let expected = fs::read_to_string(folder.join(file)).unwrap_or_default();
            if got != expected {
                wrong.push(format!(
                    "\n--- {}/{file}\n{got}--- expected\n{expected}",
                    folder.display()
                ));
            }
        }
        count += 1;
    }
    assert!(count >= 6, "{count} templates");
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

//! `BuildMethod: makefile` and `go1.x`: a tool that writes the executable to a folder.
//!
//! As with `sam build --build-in-source`, the tool runs in the sources, and the function's folder
//! under `.aws-sam/build` is emptied first, so that no result of an earlier build remains.

use std::fs;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use super::BOOTSTRAP;
use sam_template::model::{Tool, ToolBuild};

/// Builds one function. Blocks.
pub(super) fn run(function: &str, build: &ToolBuild) -> Result<(), String> {
    let artifacts = &build.artifacts;
    if let Err(error) = fs::remove_dir_all(artifacts)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(format!("cannot empty {}: {error}", artifacts.display()));
    }
    fs::create_dir_all(artifacts)
        .map_err(|error| format!("cannot create {}: {error}", artifacts.display()))?;
    let (mut command, shown) = command(function, build);
    eprintln!("building {function} ({shown})");
    let output = command
        .current_dir(&build.working)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_run(&command.get_program().to_string_lossy(), build, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "`{shown}` fails in {}:\n\n{}",
        build.working.display(),
        String::from_utf8_lossy(&said).trim_end()
    ))
}

/// Checks that the tool runs in its working directory.
///
/// # Errors
/// Why it does not, and the remedy.
pub(super) fn check(build: &ToolBuild) -> Result<(), String> {
    // `go version`, `make --version`.
    let (program, version) = match build.tool {
        Tool::Make => ("make", "--version"),
        Tool::Go => ("go", "version"),
    };
    let asked = Command::new(program)
        .arg(version)
        .current_dir(&build.working)
        .stdin(Stdio::null())
        .output();
    match asked {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "`{program} {version}` fails: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        )),
        Err(error) => Err(not_run(program, build, &error)),
    }
}

fn not_run(program: &str, build: &ToolBuild, error: &std::io::Error) -> String {
    let folder = build.working.display();
    format!(
        "{program} cannot be run in {folder}: {error}. Install it, or use --no-build with an \
         executable that exists."
    )
}

/// The command, and its text for messages.
fn command(function: &str, build: &ToolBuild) -> (Command, String) {
    match build.tool {
        Tool::Make => {
            let target = format!("build-{function}");
            let mut command = Command::new("make");
            command
                .arg("--makefile")
                .arg(build.source.join("Makefile"))
                .arg(&target);
            // Variables of a make that runs this process must not reach the user's make.
            for variable in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
                command.env_remove(variable);
            }
            command.env("ARTIFACTS_DIR", &build.artifacts);
            (command, format!("make {target}"))
        }
        Tool::Go => {
            let mut command = Command::new("go");
            command
                .arg("build")
                .arg("-o")
                .arg(build.artifacts.join(BOOTSTRAP))
                .arg(".");
            (command, "go build".to_owned())
        }
    }
}

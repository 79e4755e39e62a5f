//! `BuildMethod: makefile` and `go1.x`: a tool that writes the executable to a folder.
//!
//! As with `sam build --build-in-source`, the tool runs in the sources, and the function's folder
//! under `.aws-sam/build` is emptied first, so that no result of an earlier build remains.

use std::fs;
use std::io::{self, ErrorKind};
use std::process::{Command, Stdio};

use super::{BOOTSTRAP, ToolError};
use sam_template::model::{Tool, ToolBuild};

/// Builds one function. Blocks.
pub(super) fn run(function: &str, build: &ToolBuild) -> Result<(), ToolError> {
    let artifacts = &build.artifacts;
    if let Err(error) = fs::remove_dir_all(artifacts)
        && error.kind() != ErrorKind::NotFound
    {
        let folder = artifacts.clone();
        return Err(ToolError::Empty { folder, error });
    }
    fs::create_dir_all(artifacts).map_err(|error| ToolError::Create {
        folder: artifacts.clone(),
        error,
    })?;
    let (mut command, shown) = command(function, build);
    eprintln!("building {function} ({shown})");
    let output = command
        .current_dir(&build.working)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_run(&command.get_program().to_string_lossy(), build, error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(ToolError::Failed {
        command: shown,
        folder: build.working.clone(),
        output: String::from_utf8_lossy(&said).trim_end().to_owned(),
    })
}

/// Checks that the tool runs in its working directory.
///
/// # Errors
/// Why it does not, and the remedy.
pub(super) fn check(build: &ToolBuild) -> Result<(), ToolError> {
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
        Ok(output) => Err(ToolError::Version {
            command: format!("{program} {version}"),
            output: String::from_utf8_lossy(&output.stderr)
                .trim_end()
                .to_owned(),
        }),
        Err(error) => Err(not_run(program, build, error)),
    }
}

fn not_run(program: &str, build: &ToolBuild, error: io::Error) -> ToolError {
    ToolError::NotRun {
        program: program.to_owned(),
        folder: build.working.clone(),
        error,
    }
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

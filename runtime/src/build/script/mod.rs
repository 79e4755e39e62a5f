//! Functions of Python and Node.js: run by this machine's interpreter and AWS' own runtime
//! interface client.
//!
//! [`interpreter`] finds the program, [`client`] installs AWS' client for it once for the user,
//! [`packages`] installs what `requirements.txt` or `package.json` names, and [`snapshot`] copies
//! code and layers. [`start_script`] is the text of the executable: it sets the variables of
//! Lambda's managed runtimes and starts the client.
//!
//! Every build of other content has a folder of its own, named after a digest of that content. A
//! process that runs keeps the files that it was started with.

mod client;
mod command;
mod error;
mod interpreter;
mod packages;
mod snapshot;
mod start_script;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sam_template::model::Script;

pub use error::ScriptError;
pub use interpreter::languages;

use super::{BOOTSTRAP, ExecutableError};
use crate::state;
use interpreter::Interpreter;

/// Builds of one function that are kept: processes of an earlier one may still run.
const KEPT_BUILDS: usize = 3;

/// Prepares a function and returns its executable. Blocks. `earlier`: install and write nothing.
pub(super) fn build(
    function: &str,
    script: &Script,
    earlier: bool,
) -> Result<PathBuf, ExecutableError> {
    let interpreter = Interpreter::find(script.language, &script.runtime)?;
    let content = snapshot::read(script)?;
    let client = client::Client::of(&interpreter, &script.builds);
    let packages = packages::Packages::of(&content, &interpreter, &script.builds)?;
    let folder = script.builds.join(content.digest(&[
        client.key(),
        packages.as_ref().map_or("", packages::Packages::key),
        &script.runtime,
    ]));
    let executable = folder.join(BOOTSTRAP);
    if earlier {
        let ready = executable.is_file()
            && client.is_installed()
            && packages.as_ref().is_none_or(packages::Packages::installed);
        return if ready {
            Ok(executable)
        } else {
            Err(ExecutableError::NotBuilt(executable))
        };
    }
    if let Some(note) = interpreter.differs(&script.runtime) {
        eprintln!("function {function}: {note}");
    }
    ignored_folder(&script.builds)?;
    let program = client.install(&interpreter)?;
    if let Some(packages) = &packages {
        packages.install(function, &program)?;
    }
    let installed = packages.as_ref().map(packages::Packages::folder);
    if !executable.is_file() {
        eprintln!("building {function} ({})", interpreter.shown());
        snapshot::write(&content, &folder, installed)?;
    }
    let paths = start_script::Paths {
        folder: &folder,
        packages: installed,
        program: &program,
    };
    let text = start_script::text(function, script, &paths);
    // an upgrade of the machine may have moved the interpreter
    if fs::read_to_string(&executable).ok().as_deref() != Some(text.as_str()) {
        write_executable(&executable, &text)?;
    }
    snapshot::remove_others(&script.builds, &folder, KEPT_BUILDS);
    Ok(executable)
}

/// Checks that the interpreter runs.
pub(super) fn check(script: &Script) -> Result<(), ScriptError> {
    Interpreter::find(script.language, &script.runtime).map(|_| ())
}

/// Creates the folder of a function's builds, outside of version control.
fn ignored_folder(builds: &Path) -> Result<(), ScriptError> {
    let top = builds.parent().and_then(Path::parent).unwrap_or(builds);
    let created = state::create(top).and_then(|()| fs::create_dir_all(builds));
    created.map_err(ScriptError::file(builds))
}

/// Writes the file under another name first: one that exists is complete.
fn write_executable(file: &Path, text: &str) -> Result<(), ScriptError> {
    let new = file.with_extension("new");
    let mode = fs::Permissions::from_mode(0o755);
    fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, mode))
        .and_then(|()| fs::rename(&new, file))
        .map_err(ScriptError::file(file))
}

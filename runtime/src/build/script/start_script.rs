//! The executable of a function of a language runtime: a shell script with the variables of
//! Lambda's managed runtimes. Pure.
//!
//! Lambda unpacks layers into `/opt`, which needs root. The same folders of the merged layers are
//! in the variables here ("Packaging your layer content" in Lambda's guide).

use std::path::Path;

use super::client::Program;
use super::snapshot::{OPT, TASK};
use sam_template::model::{Language, Script};

/// Where the parts of a build are.
pub(super) struct Paths<'p> {
    pub(super) folder: &'p Path,
    pub(super) packages: Option<&'p Path>,
    pub(super) program: &'p Program,
}

/// The text of the script.
pub(super) fn text(function: &str, script: &Script, paths: &Paths<'_>) -> String {
    let task = paths.folder.join(TASK);
    let opt = paths.folder.join(OPT);
    let bin = joined(&[opt.join("bin")], "PATH");
    let libraries = [task.clone(), task.join("lib"), opt.join("lib")];
    let libraries = joined(&libraries, "LD_LIBRARY_PATH");
    let (search, start) = match paths.program {
        Program::Python(python) => {
            let version = Language::Python.version(&script.runtime).unwrap_or("3");
            let site = format!("python/lib/python{version}/site-packages");
            let mut search: Vec<_> = paths.packages.map(Path::to_owned).into_iter().collect();
            search.extend([opt.join(site), opt.join("python")]);
            let search = joined(&search, "PYTHONPATH");
            (
                format!("export PYTHONPATH={search}"),
                format!("exec {} -m awslambdaric \"$_HANDLER\"", quoted(python)),
            )
        }
        Program::Node { node, client } => {
            let version = Language::Node.version(&script.runtime).unwrap_or_default();
            let own = format!("nodejs/node{version}/node_modules");
            let search = [opt.join(own), opt.join("nodejs/node_modules")];
            let search = joined(&search, "NODE_PATH");
            (
                format!("export NODE_PATH={search}"),
                format!("exec {} {} \"$_HANDLER\"", quoted(node), quoted(client)),
            )
        }
    };
    format!(
        "#!/bin/sh\n\
         # Written by usher: starts the function {function} with AWS' runtime interface client.\n\
         export AWS_EXECUTION_ENV=AWS_Lambda_{runtime}\n\
         export LAMBDA_TASK_ROOT={root}\n\
         export PATH={bin}\n\
         export LD_LIBRARY_PATH={libraries}\n\
         {search}\n\
         cd \"$LAMBDA_TASK_ROOT\" || exit 1\n\
         {start}\n",
        runtime = script.runtime,
        root = quoted(&task),
    )
}

/// The value of a variable of the function, then these folders.
fn joined(folders: &[impl AsRef<Path>], variable: &str) -> String {
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| quoted(folder.as_ref()))
        .collect();
    format!("\"${{{variable}:+${variable}:}}\"{}", folders.join(":"))
}

/// A path as one word of the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sam_template::model::ScriptSource;

    #[test]
    fn a_script_starts_the_client_with_lambdas_variables() {
        let script = Script {
            language: Language::Python,
            runtime: "python3.11".to_owned(),
            source: ScriptSource::Folder("/app".into()),
            layers: Vec::new(),
            builds: "/b".into(),
        };
        let paths = Paths {
            folder: Path::new("/it's"),
            packages: Some(Path::new("/packages")),
            program: &Program::Python("/venv/bin/python".into()),
        };
        let text = text("F", &script, &paths);
        for line in [
            "export AWS_EXECUTION_ENV=AWS_Lambda_python3.11",
            r"export LAMBDA_TASK_ROOT='/it'\''s/task'",
            r#"export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}"'/packages':'/it'\''s/opt/python/lib/python3.11/site-packages':'/it'\''s/opt/python'"#,
            r#"exec '/venv/bin/python' -m awslambdaric "$_HANDLER""#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
    }
}

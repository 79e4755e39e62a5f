//! AWS' runtime interface clients, installed once for a user and an interpreter's version.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ScriptError;
use super::command::run;
use super::interpreter::Interpreter;
use sam_template::model::Language;

/// Client for Python. It has wheels for Python 3.10 and newer.
const AWSLAMBDARIC: &str = "4.2.2";

/// The least Python of [`AWSLAMBDARIC`].
const LEAST_PYTHON: u32 = 10;

/// Lambda's Python runtimes contain this package; functions rely on it.
const BOTO3: &str = "1.44.8";

/// Client for Node.js. It states 22 as its least version, and runs with 18 and 20: earlier clients
/// need more tools to be compiled.
const LAMBDA_RIC: &str = "4.0.2";

/// The least major version of Node.js with which [`LAMBDA_RIC`] has been seen to run.
const LEAST_NODE: u32 = 18;

/// Marks a complete installation.
const COMPLETE: &str = "complete";

const VENV: &str = "Install Python's venv and pip (Debian: apt-get install python3-venv).";
const PYPI: &str = "The first build of a Python function needs the Python package index. Connect \
    this machine, or configure an index that it reaches (pip config set global.index-url URL).";
const NPM: &str = "The first build of a Node.js function needs the npm registry, and compiles a \
    part of AWS' client. Connect this machine, and install what is missing (Debian: apt-get \
    install npm g++ make cmake xz-utils python3).";

/// The client for one interpreter.
#[derive(Debug)]
pub(super) struct Client {
    key: String,
    folder: PathBuf,
}

impl Client {
    pub(super) fn of(interpreter: &Interpreter, builds: &Path) -> Self {
        let release = interpreter.release();
        let key = match interpreter.language {
            Language::Python => format!("python{release}-awslambdaric{AWSLAMBDARIC}"),
            Language::Node => format!("node{release}-aws-lambda-ric{LAMBDA_RIC}"),
        };
        let folder = cache(builds).join(&key);
        Self { key, folder }
    }

    /// Names interpreter and client with their versions.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn is_installed(&self) -> bool {
        self.folder.join(COMPLETE).is_file()
    }

    /// Installs the client unless it is there. Blocks; a second host waits for the first.
    ///
    /// # Errors
    /// The interpreter is too old, a tool is missing, or the registry is not reachable.
    pub(super) fn install(&self, interpreter: &Interpreter) -> Result<Program, ScriptError> {
        let program = Program::of(interpreter, &self.folder);
        check_release(interpreter)?;
        let above = self.folder.parent().unwrap_or(&self.folder);
        let lock = above.join(format!("{}.lock", self.key));
        let locked = fs::create_dir_all(above)
            .and_then(|()| File::create(lock))
            .and_then(|lock| lock.lock().map(|()| lock));
        let _lock = locked.map_err(ScriptError::file(above))?;
        if self.is_installed() && program.is_there() {
            return Ok(program);
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(ScriptError::file(&self.folder))?;
        }
        eprintln!(
            "installing AWS' runtime client for {} (once, in {})",
            interpreter.shown(),
            self.folder.display()
        );
        match interpreter.language {
            Language::Python => self.install_python(interpreter, &program)?,
            Language::Node => self.install_node(interpreter)?,
        }
        let complete = self.folder.join(COMPLETE);
        fs::write(&complete, "").map_err(ScriptError::file(&complete))?;
        Ok(program)
    }

    fn install_python(
        &self,
        interpreter: &Interpreter,
        program: &Program,
    ) -> Result<(), ScriptError> {
        let mut venv = Command::new(&interpreter.program);
        run(venv.args(["-m", "venv"]).arg(&self.folder), VENV)?;
        let mut pip = program.pip();
        pip.arg(format!("awslambdaric=={AWSLAMBDARIC}"));
        run(pip.arg(format!("boto3=={BOTO3}")), PYPI)
    }

    fn install_node(&self, interpreter: &Interpreter) -> Result<(), ScriptError> {
        fs::create_dir_all(&self.folder).map_err(ScriptError::file(&self.folder))?;
        let manifest = self.folder.join("package.json");
        fs::write(&manifest, r#"{"private": true}"#).map_err(ScriptError::file(&manifest))?;
        let mut npm = npm(&interpreter.program);
        npm.arg(format!("aws-lambda-ric@{LAMBDA_RIC}"));
        run(npm.current_dir(&self.folder), NPM)
    }
}

/// How the interpreter is started, with AWS' client in reach.
#[derive(Debug)]
pub(super) enum Program {
    /// The `python` of a virtual environment.
    Python(PathBuf),
    /// `node`, and the file of the client.
    Node { node: PathBuf, client: PathBuf },
}

impl Program {
    fn of(interpreter: &Interpreter, folder: &Path) -> Self {
        match interpreter.language {
            Language::Python => Self::Python(folder.join("bin/python")),
            Language::Node => Self::Node {
                node: interpreter.program.clone(),
                client: folder.join("node_modules/aws-lambda-ric/index.mjs"),
            },
        }
    }

    /// An upgrade of the machine may remove the interpreter of a virtual environment.
    fn is_there(&self) -> bool {
        match self {
            Self::Python(python) => python.exists(),
            Self::Node { client, .. } => client.exists(),
        }
    }

    /// `pip install` of the virtual environment.
    pub(super) fn pip(&self) -> Command {
        let mut pip = match self {
            Self::Python(python) | Self::Node { node: python, .. } => Command::new(python),
        };
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        pip.args(["--no-input", "--quiet"]);
        pip
    }
}

/// `npm install` beside this node.
pub(super) fn npm(node: &Path) -> Command {
    let beside = node.with_file_name("npm");
    let mut npm = if beside.is_file() {
        Command::new(beside)
    } else {
        Command::new("npm")
    };
    npm.args(["install", "--omit=dev", "--no-audit", "--no-fund"]);
    npm.arg("--loglevel=error");
    npm
}

/// Checks that the client exists for this version.
fn check_release(interpreter: &Interpreter) -> Result<(), ScriptError> {
    let release = interpreter.release();
    let (number, least, shown) = match interpreter.language {
        Language::Python => (
            release.strip_prefix("3.").unwrap_or(release),
            LEAST_PYTHON,
            format!("3.{LEAST_PYTHON}"),
        ),
        Language::Node => (release, LEAST_NODE, LEAST_NODE.to_string()),
    };
    let too_old = number.parse::<u32>().is_ok_and(|number| number < least);
    if too_old {
        return Err(ScriptError::TooOld {
            language: interpreter.language.name(),
            least: shown,
            program: interpreter.program.clone(),
            version: interpreter.version.clone(),
        });
    }
    Ok(())
}

/// The user's cache; without a home, a folder of the project.
fn cache(builds: &Path) -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")));
    let project = builds.parent().and_then(Path::parent).unwrap_or(builds);
    cache
        .map_or_else(|| project.to_owned(), |cache| cache.join("usher"))
        .join("runtimes")
}

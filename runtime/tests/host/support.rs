//! Shared by the tests: the echo function, applications with it, pools and processes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sam_template::model::{Application, Code, Function, Location, Logging};
use tempfile::TempDir;
use testkit::process::KillOnDrop;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use usher::instances::{Logs, Pool, PoolOptions};
use usher::invocation::{Invoke, Outcome, Request, Response};
use usher::sources::EventSource;
use usher::state::StateFolder;
use usher::supervision::{ComponentError, ComponentRegistry, supervise};

/// The executable of `examples/echo`.
pub(crate) fn echo_function() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_usher"))
        .parent()
        .expect("a binary lies in a folder");
    let path = folder.join("examples/echo");
    assert!(
        path.is_file(),
        "{} is missing: cargo test builds it, `--test host` alone does not",
        path.display()
    );
    path
}

/// A folder with this template and the echo function.
pub(crate) fn project(template: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), template).unwrap();
    add_function(folder.path());
    folder
}

/// Links the echo function into a project, as `built/bootstrap`.
pub(crate) fn add_function(project: &Path) {
    std::fs::create_dir(project.join("built")).unwrap();
    std::os::unix::fs::symlink(echo_function(), project.join("built/bootstrap")).unwrap();
}

/// The function `Echo`, with these variables in its environment.
pub(crate) fn function(environment: &[(&str, &str)]) -> Function {
    Function {
        id: "Echo".into(),
        name: "stack-Echo".into(),
        location: Location::default(),
        qualifiers: BTreeSet::new(),
        code: Code::Prebuilt(echo_function()),
        place: String::new(),
        handler: "bootstrap".into(),
        timeout: Duration::from_secs(30),
        memory_mb: 128,
        concurrency: None,
        environment: environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        logging: Logging::default(),
    }
}

pub(crate) fn application(function: Function) -> Application {
    Application {
        stack: "stack".into(),
        functions: BTreeMap::from([(function.id.clone(), function)]),
        ..Application::default()
    }
}

pub(crate) fn executables() -> BTreeMap<String, PathBuf> {
    BTreeMap::from([("Echo".to_owned(), echo_function())])
}

/// A new state folder within the target folder.
pub(crate) fn state() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("state-{:016x}", rand::random::<u64>()))
}

/// A new state folder, claimed for a host.
pub(crate) fn claimed() -> StateFolder {
    StateFolder::claim(&state()).unwrap()
}

/// A log that the test can read.
#[derive(Clone, Default)]
pub(crate) struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Printed {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

pub(crate) fn options() -> (PoolOptions, Printed) {
    let printed = Printed::default();
    let options = PoolOptions {
        logs: Logs::to(printed.clone()),
        ..PoolOptions::default()
    };
    (options, printed)
}

pub(crate) fn pool(function: Function) -> Arc<Pool> {
    Pool::new(&application(function), &executables(), &options().0)
}

pub(crate) fn request(event: &serde_json::Value) -> Request {
    Request::new("Echo", event.to_string())
}

/// Invokes and waits for an instance.
pub(crate) async fn invoke(pool: &Pool, event: serde_json::Value) -> Response {
    pool.invoke(request(&event), true)
        .await
        .expect("the invocation is accepted")
}

/// The response; panics on an error.
pub(crate) fn answer(response: &Response) -> serde_json::Value {
    match &response.outcome {
        Outcome::Answer(body) => serde_json::from_slice(body).expect("the answer is JSON"),
        other => panic!("expected an answer: {other:?}"),
    }
}

/// Type and message of the error; panics on a response.
pub(crate) fn error(response: &Response) -> (String, String) {
    match &response.outcome {
        Outcome::Answer(body) => panic!("expected an error: {body:?}"),
        Outcome::Error(error) | Outcome::Interrupted(error) => {
            (error.error_type.clone(), error.message.clone())
        }
    }
}

/// A source that runs without a host.
pub(crate) struct Running<S> {
    pub(crate) source: Arc<S>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<Result<(), ComponentError>>,
}

impl<S: EventSource + 'static> Running<S> {
    pub(crate) fn start(source: S, parts: &ComponentRegistry) -> Self {
        let source = Arc::new(source);
        let (stop, stopping) = watch::channel(false);
        let part = parts.component(source.component());
        let runs = source.clone();
        let start = {
            let stopping = stopping.clone();
            move || runs.run(stopping.clone())
        };
        let ended = tokio::spawn(supervise(part, stopping, start));
        Self {
            source,
            stop,
            ended,
        }
    }

    pub(crate) async fn drain(self) {
        self.stop.send(true).unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

/// `usher up` with these arguments in this project.
pub(crate) fn usher_up(project: &Path, arguments: &[&str]) -> KillOnDrop {
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    KillOnDrop(
        usher
            .arg("up")
            .args(arguments)
            .current_dir(project)
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    )
}

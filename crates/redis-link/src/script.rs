//! Lua scripts, assembled from a script file and the fragments it includes.

use redis::{Cmd, ToRedisArgs, cmd};

use super::library::Library;

/// A complete script and its hash.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    source: String,
    hash: String,
    library: Option<Library>,
}

impl Script {
    /// `body` is the text of a script: a shebang line, its contract, then its statements. A line
    /// `--@include NAME` is replaced by the text of that fragment.
    ///
    /// With a line `--@function` the script runs as a function of the server where the server has
    /// functions: its fragments are then evaluated once, when the function is loaded, and their
    /// variables last as long as the server's process. Statements of a fragment that each call
    /// needs stand between the lines `--@call` and `--@end`.
    ///
    /// # Panics
    /// If `fragments` lacks an included name. A test that builds every script finds this.
    pub fn new(name: &'static str, body: &str, fragments: &[(&str, &str)]) -> Self {
        let mut source = String::with_capacity(body.len() * 3);
        let mut included = Vec::new();
        let mut own = String::with_capacity(body.len());
        for line in body.lines() {
            let (target, text) = match line.strip_prefix("--@include ") {
                Some(fragment) => {
                    let found = fragments.iter().find(|(name, _)| *name == fragment);
                    let (_, text) = found.unwrap_or_else(|| {
                        panic!("script {name} includes an unknown fragment {fragment}")
                    });
                    included.push(*text);
                    (None, *text)
                }
                None => (Some(&mut own), line),
            };
            for part in [Some(&mut source), target].into_iter().flatten() {
                part.push_str(text);
                part.push('\n');
            }
        }
        let hash = redis::Script::new(&source).get_hash().to_owned();
        let library = own
            .lines()
            .any(|line| line == "--@function")
            .then(|| Library::new(name, &hash, &own, &included));
        Self {
            name,
            source,
            hash,
            library,
        }
    }

    /// The name used in errors.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text that is sent to the server.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The function, if the script may run as one.
    pub(crate) fn library(&self) -> Option<&Library> {
        self.library.as_ref()
    }
}

/// Declares a static [`Script`] for each file `lua/FILE.lua` beside the file that invokes the macro,
/// and for tests `ALL` of them: `scripts! { "prefix", &FRAGMENTS; NAME = "file"; }`. The script's
/// name in errors is `prefix/file`.
#[macro_export]
macro_rules! scripts {
    ($prefix:literal, $fragments:expr; $($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: std::sync::LazyLock<$crate::Script> =
            std::sync::LazyLock::new(|| {
                let body = include_str!(concat!("lua/", $file, ".lua"));
                $crate::Script::new(concat!($prefix, "/", $file), body, $fragments)
            });)*

        #[cfg(test)]
        static ALL: &[&std::sync::LazyLock<$crate::Script>] = &[$(&$name),*];
    };
}

/// One call of a script: its key and its arguments.
#[derive(Clone)]
pub struct Call {
    pub(crate) script: &'static Script,
    /// `FCALL` for a script with a function, `EVALSHA` for others.
    command: Cmd,
}

/// Words that differ between the two commands: the command, and the hash or the function.
const WORDS_OF_CALL: usize = 2;

impl Call {
    /// A call without arguments.
    pub fn new(script: &'static Script, key: &str) -> Self {
        let command = match script.library() {
            Some(library) => begin("FCALL", library.name()),
            None => begin("EVALSHA", &script.hash),
        };
        Self { script, command }.arg(1).arg(key)
    }

    /// Appends an argument.
    #[must_use]
    pub fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    /// Appends an argument in place.
    pub fn push(&mut self, value: impl ToRedisArgs) {
        self.command.arg(value);
    }

    /// The command: of the function, if the script has one.
    pub(crate) fn command(&self) -> Cmd {
        self.command.clone()
    }

    /// The command that runs the script itself.
    pub(crate) fn as_script(&self) -> Cmd {
        if self.script.library().is_none() {
            return self.command.clone();
        }
        let mut command = begin("EVALSHA", &self.script.hash);
        for argument in self.command.args_iter().skip(WORDS_OF_CALL) {
            if let redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }

    /// Loads the script, then runs it.
    pub(crate) fn loading(&self) -> [Cmd; 2] {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(&self.script.source);
        [load, self.as_script()]
    }

    /// Loads the function, then calls it.
    pub(crate) fn loading_function(&self, library: &Library) -> [Cmd; 2] {
        let mut load = cmd("FUNCTION");
        load.arg("LOAD").arg(library.source());
        [load, self.command.clone()]
    }
}

fn begin(command: &str, what: &str) -> Cmd {
    let mut command = cmd(command);
    command.arg(what);
    command
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Call").field(&self.script.name).finish()
    }
}

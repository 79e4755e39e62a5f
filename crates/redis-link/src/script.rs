//! Lua scripts, assembled from a script file and the fragments it includes.

use redis::{Cmd, ToRedisArgs, cmd};

/// A complete script and its hash.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    source: String,
    hash: String,
}

impl Script {
    /// `body` is the text of a script: a shebang line, its contract, then its statements. A line
    /// `--@include NAME` is replaced by the text of that fragment.
    ///
    /// # Panics
    /// If `fragments` lacks an included name. A test that builds every script finds this.
    pub fn new(name: &'static str, body: &str, fragments: &[(&str, &str)]) -> Self {
        let mut source = String::with_capacity(body.len() * 3);
        for line in body.lines() {
            match line.strip_prefix("--@include ") {
                Some(included) => {
                    let found = fragments.iter().find(|(name, _)| *name == included);
                    let (_, text) = found.unwrap_or_else(|| {
                        panic!("script {name} includes an unknown fragment {included}")
                    });
                    source.push_str(text);
                }
                None => source.push_str(line),
            }
            source.push('\n');
        }
        let hash = redis::Script::new(&source).get_hash().to_owned();
        Self { name, source, hash }
    }

    /// The name used in errors.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text that is sent to the server.
    pub fn source(&self) -> &str {
        &self.source
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
    pub(crate) command: Cmd,
}

impl Call {
    /// A call without arguments.
    pub fn new(script: &'static Script, key: &str) -> Self {
        let mut command = cmd("EVALSHA");
        command.arg(&script.hash).arg(1).arg(key);
        Self { script, command }
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

    /// Loads the script, then runs the call.
    pub(crate) fn loading(&self) -> [Cmd; 2] {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(&self.script.source);
        [load, self.command.clone()]
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Call").field(&self.script.name).finish()
    }
}

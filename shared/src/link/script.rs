//! Lua scripts, put together from the file of a verb and the fragments it names.

use redis::{Cmd, ToRedisArgs, cmd};

/// A script ready to run: its fragments put in, its hash known.
#[derive(Debug)]
pub(crate) struct Script {
    name: &'static str,
    source: String,
    hash: String,
}

impl Script {
    /// `body` is the file of a verb: a shebang line, its contract, lines `--@include NAME` where fragments go, its steps.
    ///
    /// Panics when a fragment is not among `fragments`: every script is put together by a test.
    pub(crate) fn new(name: &'static str, body: &str, fragments: &[(&str, &str)]) -> Self {
        let mut source = String::with_capacity(body.len() * 3);
        for line in body.lines() {
            match line.strip_prefix("--@include ") {
                Some(wanted) => {
                    let found = fragments.iter().find(|(name, _)| *name == wanted);
                    let (_, text) = found.unwrap_or_else(|| {
                        panic!("script {name} includes an unknown fragment {wanted}")
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

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The whole text, as the server gets it.
    #[cfg(test)]
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn load_command(&self) -> Cmd {
        let mut command = cmd("SCRIPT");
        command.arg("LOAD").arg(&self.source);
        command
    }
}

/// One call of a script: its single key and its arguments.
#[derive(Clone)]
pub(crate) struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    pub(crate) fn new(script: &'static Script, key: &str) -> Self {
        let mut command = cmd("EVALSHA");
        command.arg(&script.hash).arg(1).arg(key);
        Self { script, command }
    }

    pub(crate) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    pub(crate) fn push(&mut self, value: impl ToRedisArgs) {
        self.command.arg(value);
    }

    pub(crate) fn script(&self) -> &'static Script {
        self.script
    }

    pub(crate) fn command(&self) -> &Cmd {
        &self.command
    }
}

//! Lua scripts, assembled from a script file and the fragments it includes.

use redis::{Cmd, ToRedisArgs, cmd};

use super::library::Library;

#[cfg(removable_protections)]
use removal::edited;

#[cfg(removable_protections)]
#[path = "../../../tests/model/removals/removal.rs"]
mod removal;

/// The text of a script or fragment. A build that shows that tests need a part of it edits it.
#[cfg(not(removable_protections))]
const fn edited<'a>(_name: &str, text: &'a str) -> &'a str {
    text
}

/// A complete script and its hash.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    source: String,
    hash: String,
    library: Option<Library>,
    siblings: Vec<Siblings>,
}

/// Other keys of a script, derived from the end of its own key.
#[derive(Debug)]
struct Siblings {
    /// How its own key ends.
    own: String,
    /// How the others end.
    others: Vec<String>,
}

impl Siblings {
    /// From the lines `--@siblings OWN OTHER...`; `*` is the end of any key.
    fn read_all(source: &str) -> Vec<Self> {
        let lines = source.lines();
        let lines = lines.filter_map(|line| line.strip_prefix("--@siblings "));
        let read = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let own = words.next()?;
            let own = if own == "*" { String::new() } else { own };
            let others = words.collect();
            Some(Self { own, others })
        };
        lines.filter_map(read).collect()
    }
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
    /// A line `--@siblings OWN OTHER...` names keys that the script uses beside the key which ends
    /// with `OWN`: they end with `OTHER` instead. Where `OWN` is `*`, `OTHER` follows the whole key.
    /// In a cluster they are declared, so that the server refuses a call as a whole while some of
    /// them have moved to another node. A script whose keys are not known before it runs names one
    /// that never exists: then the server refuses each call while the slot is moving. There may be
    /// several such lines, of fragments: the first one for the end of the call's key applies.
    ///
    /// # Panics
    /// If `fragments` lacks an included name. A test that builds every script finds this.
    pub fn new(name: &'static str, body: &str, fragments: &[(&str, &str)]) -> Self {
        let mut source = String::with_capacity(body.len() * 3);
        let mut included = Vec::new();
        let mut own = String::with_capacity(body.len());
        for line in edited(name, body).lines() {
            let (target, text) = match line.strip_prefix("--@include ") {
                Some(fragment) => {
                    let found = fragments.iter().find(|(name, _)| *name == fragment);
                    let (_, text) = found.unwrap_or_else(|| {
                        panic!("script {name} includes an unknown fragment {fragment}")
                    });
                    let text = edited(fragment, text);
                    included.push(text);
                    (None, text)
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
        let siblings = Siblings::read_all(&source);
        Self {
            name,
            source,
            hash,
            library,
            siblings,
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
        Self::with_keys(script, &[key])
    }

    /// A call with several keys, at least one, of the same hash tag. The first one leads to the node
    /// of a cluster. The script must not name siblings.
    pub fn with_keys(script: &'static Script, keys: &[&str]) -> Self {
        let command = match script.library() {
            Some(library) => begin("FCALL", library.name()),
            None => begin("EVALSHA", &script.hash),
        };
        Self { script, command }.arg(keys.len()).arg(keys)
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

    /// The key.
    pub(crate) fn key(&self) -> &[u8] {
        match self.command.args_iter().nth(WORDS_OF_CALL + 1) {
            Some(redis::Arg::Simple(key)) => key,
            _ => unreachable!("a call is made with its key"),
        }
    }

    /// The same call with all its keys declared, for a cluster.
    pub(crate) fn declaring(&self) -> Self {
        let stem = self.script.siblings.iter().find_map(|siblings| {
            let stem = self.key().strip_suffix(siblings.own.as_bytes())?;
            Some((stem, &siblings.others))
        });
        let Some((stem, others)) = stem else {
            return self.clone();
        };
        let mut words = self.command.args_iter().filter_map(|word| match word {
            redis::Arg::Simple(word) => Some(word),
            _ => None,
        });
        let mut command = Cmd::new();
        for word in words.by_ref().take(WORDS_OF_CALL) {
            command.arg(word);
        }
        // The count of the keys is replaced.
        words.next();
        command.arg(1 + others.len()).arg(words.next());
        for other in others {
            command.arg([stem, other.as_bytes()].concat());
        }
        for word in words {
            command.arg(word);
        }
        Self {
            script: self.script,
            command,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
        let text = "#!lua\n--@include keys\n--@siblings top absent\nreturn 1";
        let keys = "--@siblings due job tries\nlocal unused = 1";
        Script::new("test/siblings", text, &[("keys", keys)])
    });

    static ANY: LazyLock<Script> =
        LazyLock::new(|| Script::new("test/any", "#!lua\n--@siblings * -dead", &[]));

    fn words(call: &Call) -> Vec<String> {
        let text = |word| match word {
            redis::Arg::Simple(word) => String::from_utf8_lossy(word).into_owned(),
            _ => panic!("no word"),
        };
        let words = call.command.args_iter().map(text);
        words.skip(WORDS_OF_CALL).collect()
    }

    #[test]
    fn every_key_is_declared_in_a_cluster() {
        let call = Call::new(&SCRIPT, "{a}:due").arg(7);
        assert_eq!(words(&call), ["1", "{a}:due", "7"]);
        let declared = call.declaring();
        assert_eq!(
            words(&declared),
            ["3", "{a}:due", "{a}:job", "{a}:tries", "7"]
        );
        assert_eq!(declared.key(), call.key());
        let top = Call::new(&SCRIPT, "{a}:top").arg(7);
        assert_eq!(words(&top.declaring()), ["2", "{a}:top", "{a}:absent", "7"]);
        let any = Call::new(&ANY, "{a}:orders").arg(7).declaring();
        assert_eq!(words(&any), ["2", "{a}:orders", "{a}:orders-dead", "7"]);
        // A fragment in a script whose key is another one.
        let other = Call::new(&SCRIPT, "{a}:head").arg(7);
        assert_eq!(words(&other.declaring()), words(&other));
    }
}

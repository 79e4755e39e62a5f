//! Functions of language runtimes, which an interpreter of this machine runs.

use std::path::PathBuf;

/// A language of which functions are run by an interpreter of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// `python3.11`, ...
    Python,
    /// `nodejs20.x`, ...
    Node,
}

impl Language {
    /// The language of a `Runtime`. `None`: another one, or no runtime of Lambda.
    pub fn of(runtime: &str) -> Option<Self> {
        let all = [Self::Python, Self::Node];
        all.into_iter()
            .find(|language| language.version(runtime).is_some())
    }

    /// The version in a `Runtime` of this language: `3.11` in `python3.11`, `20` in `nodejs20.x`.
    pub fn version(self, runtime: &str) -> Option<&str> {
        let version = match self {
            Self::Python => runtime.strip_prefix("python")?,
            Self::Node => runtime.strip_prefix("nodejs")?.strip_suffix(".x")?,
        };
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let sound = match self {
            Self::Python => major == "3" && version.contains('.') && digits(minor),
            Self::Node => digits(version),
        };
        sound.then_some(version)
    }

    /// The interpreter that is used if there is none of the function's own version.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::Node => "node",
        }
    }

    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::Node => "Node.js",
        }
    }
}

/// What the interpreter runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The language.
    pub language: Language,
    /// `Runtime`, as written: `python3.11`.
    pub runtime: String,
    /// The code.
    pub source: ScriptSource,
    /// Folders of the layers, in the order of `Layers`: of two files with one name, the later
    /// layer's counts.
    pub layers: Vec<PathBuf>,
    /// Output folder of the function's builds: `.usher/functions/FUNCTION`.
    pub builds: PathBuf,
}

/// Where the code of a script is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptSource {
    /// `CodeUri`, or the folder that SAM built it into.
    Folder(PathBuf),
    /// `InlineCode`: the text of `index.py` or `index.js`.
    Inline(String),
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn runtimes_of_python_and_node_are_distinguished() {
        for (runtime, language) in [
            ("python3.11", Some(Language::Python)),
            ("python3.9", Some(Language::Python)),
            ("nodejs20.x", Some(Language::Node)),
            ("python", None),
            ("python3", None),
            ("python3.x", None),
            ("nodejs", None),
            ("nodejs20", None),
            ("java21", None),
            ("provided.al2023", None),
        ] {
            assert_eq!(Language::of(runtime), language, "{runtime}");
        }
        assert_eq!(Language::Python.version("python3.12"), Some("3.12"));
        assert_eq!(Language::Node.version("nodejs22.x"), Some("22"));
    }
}

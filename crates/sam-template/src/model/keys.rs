//! Source of the public keys that verify tokens.

use std::fmt;
use std::path::{Path, PathBuf};

/// Location of a JWKS document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file of this machine.
    File(PathBuf),
    /// `http://` or `https://`, such as `https://issuer/.well-known/jwks.json`.
    Url(String),
}

impl KeySource {
    /// A URL if `text` starts with a scheme, else a file relative to `folder`.
    pub fn parse(text: &str, folder: &Path) -> Self {
        if text.starts_with("http://") || text.starts_with("https://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(folder.join(text))
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

//! Where the public keys for tokens are.

use std::fmt;
use std::path::{Path, PathBuf};

/// A JWKS document: a file, or a URL that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file of this machine.
    File(PathBuf),
    /// `http://` or `https://`, such as `https://issuer/.well-known/jwks.json`.
    Url(String),
}

impl KeySource {
    /// Reads what a user wrote; a file's name is relative to `folder`.
    pub fn written(text: &str, folder: &Path) -> Self {
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

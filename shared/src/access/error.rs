//! Why there is no login, certificate or key.

use std::path::PathBuf;

use aws_access::AccessError;

/// Why a login, certificate or key cannot be obtained. The text names the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A secret cannot be read, or a token not made.
    #[error("{setting}: {error}")]
    Aws {
        /// The variable.
        setting: String,
        /// The reason.
        error: AccessError,
    },
    /// A secret has another form.
    #[error("{setting}: the secret {arn} must be {expected}")]
    Content {
        /// The variable.
        setting: String,
        /// The secret.
        arn: String,
        /// The form.
        expected: &'static str,
    },
    /// A file cannot be read.
    #[error("{setting}: the file {} cannot be read: {error}", .file.display())]
    File {
        /// The variable.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// The reason.
        error: String,
    },
    /// A login is not among the needs that the settings of the process list.
    #[error("the login is not among the needs of this function")]
    Unopened,
    /// The certificates were read, but a client cannot use them.
    #[error(
        "the certificates of TLS_CA_FILE, TLS_CERTIFICATE_FILE and TLS_KEY_FILE, or of their \
         secrets, cannot be used: {0}"
    )]
    Certificates(String),
    /// The task that read the secret has ended early: the process is ending.
    #[error("the secret was not read: the process is ending")]
    Ended,
}

impl SourceError {
    /// Whether another attempt may succeed although nothing is changed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Aws { error, .. } => error.is_transient(),
            Self::Ended => true,
            Self::Content { .. } | Self::File { .. } | Self::Certificates(_) | Self::Unopened => {
                false
            }
        }
    }
}

//! Why a host did not start.

/// One message with everything that is missing or cannot work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

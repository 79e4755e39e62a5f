//! Why a task ended without a result.

use std::any::Any;

use tokio::task::JoinError;

use super::supervise::panic_message;

/// Why a task ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// It panicked with this message.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// It was cancelled.
    #[error(transparent)]
    Cancelled(JoinError),
}

impl From<JoinError> for TaskError {
    fn from(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => panic.into(),
            Err(error) => Self::Cancelled(error),
        }
    }
}

/// The value of a panic.
impl From<Box<dyn Any + Send>> for TaskError {
    fn from(panic: Box<dyn Any + Send>) -> Self {
        Self::Panicked(panic_message(&*panic).to_owned())
    }
}

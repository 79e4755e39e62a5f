//! An open port that a part may serve more than once: one that is started again finds it open.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;

use super::StartError;

/// The port, until it is closed. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Port(Arc<Mutex<Option<std::net::TcpListener>>>);

impl Port {
    /// Keeps an open port.
    pub(super) fn of(listener: TcpListener) -> Result<Self, StartError> {
        let kept = listener
            .into_std()
            .map_err(|error| StartError(format!("cannot keep a port open: {error}")))?;
        Ok(Self(Arc::new(Mutex::new(Some(kept)))))
    }

    /// A listener of this port.
    ///
    /// # Errors
    /// The port is closed, or there is no file descriptor left.
    pub(super) fn listener(&self) -> Result<TcpListener, String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().ok_or("its port is closed")?;
        kept.try_clone()
            .and_then(TcpListener::from_std)
            .map_err(|error| format!("cannot listen: {error}"))
    }

    /// Refuses connections once the listeners made of it are gone, too.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

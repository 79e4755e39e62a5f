//! The extensions within an instance's process.

use std::sync::Arc;
use std::time::Instant;

use super::Instance;
use crate::ids::new_id;

/// Extensions of one process at most (Lambda's limit).
const MAX_EXTENSIONS: usize = 10;

/// An extension within the process.
#[derive(Debug, Clone)]
pub(in crate::instances) struct Extension {
    name: String,
    /// It has requested its first event.
    pub(in crate::instances) ready: bool,
}

/// Why an extension is not registered, with the messages of AWS's emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::instances) enum NotRegistered {
    #[error("Extension registration closed already")]
    Closed,
    #[error("Extension with this name already registered")]
    NameTaken,
    #[error("Extension limit ({MAX_EXTENSIONS}) reached")]
    TooMany,
}

impl Instance {
    /// Registers an extension and returns its identifier. Once initialisation has ended this fails,
    /// unless the request was `sent_before`: a runtime library may register and request its first
    /// event on two connections at the same time.
    pub(in crate::instances) fn register_extension(
        &self,
        name: String,
        sent_before: Option<Instant>,
    ) -> Result<String, NotRegistered> {
        let mut state = self.state();
        if let Some(ready) = state.ready_since
            && sent_before.is_none_or(|sent| sent > ready)
        {
            return Err(NotRegistered::Closed);
        }
        if state.extensions.len() >= MAX_EXTENSIONS {
            return Err(NotRegistered::TooMany);
        }
        if state.extensions.values().any(|known| known.name == name) {
            return Err(NotRegistered::NameTaken);
        }
        let id = new_id();
        state
            .extensions
            .insert(id.clone(), Extension { name, ready: false });
        Ok(id)
    }

    pub(in crate::instances) fn extension(&self, id: &str) -> Option<Extension> {
        self.state().extensions.get(id).cloned()
    }

    /// A `next` call of a registered extension.
    pub(in crate::instances) fn extension_next(self: &Arc<Self>, id: &str) {
        let mut state = self.state();
        if let Some(extension) = state.extensions.get_mut(id) {
            extension.ready = true;
            self.offer_when_ready(state);
        }
    }
}

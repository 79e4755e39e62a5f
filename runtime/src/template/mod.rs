//! Reads a SAM template into one [`Application`].

use std::path::Path;

use crate::model::{Application, Diagnostic};
use crate::project::Project;

/// Resolves a template with what the project says beside it.
///
/// # Errors
/// Every problem found, by line; nothing is run in part.
pub fn load(_template: &Path, _project: &Project) -> Result<Application, Vec<Diagnostic>> {
    todo!()
}

//! Sources of events that `usher.toml` declares, beside those of the template.

use crate::document::{Node, Problems, Reader};
use crate::model::Diagnostic;

/// Keys of every declared source.
const COMMON: &str = "type function enabled";

/// A source of events that `usher.toml` declares: `[sources.NAME]`. Its `type` decides which further
/// keys it has; the host that runs this type reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSource {
    /// Its name in `usher.toml`, unique among functions, mappings and schedules.
    pub id: String,
    /// `type`.
    pub kind: String,
    /// `function`: the function's logical id.
    pub function: String,
    /// `enabled`; a disabled source is listed but does not run.
    pub enabled: bool,
    /// The whole table, with its lines.
    pub table: Node,
    /// File, as the user named it.
    pub file: String,
}

impl DeclaredSource {
    /// The table's own keys. `known`: their names, between blanks; another one is a problem with
    /// its line. Returns what `read` yields, and every problem by line.
    pub fn read<T>(
        &self,
        known: &str,
        read: impl FnOnce(&Reader<'_>) -> T,
    ) -> (T, Vec<Diagnostic>) {
        let problems = Problems::new(self.file.clone());
        let reader = Reader::new(&self.table, self.what(), &problems);
        reader.only(&format!("{COMMON} {known}"));
        let value = read(&reader);
        (value, problems.finish().err().unwrap_or_default())
    }

    /// A problem of one of its keys, or of the whole table if the key is absent.
    pub fn problem(&self, key: &str, message: &str) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line: self.table.line_of(key).unwrap_or(self.table.line),
            message: format!("{}: {message}", self.what()),
        }
    }

    /// The table's name in messages.
    fn what(&self) -> String {
        format!("[sources] {}", self.id)
    }
}

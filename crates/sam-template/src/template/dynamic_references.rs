//! Dynamic references: `{{resolve:service:name}}`, whose values usher.toml contains.

use crate::document::{Node, Problems};
use crate::project::Project;

/// Replaces each reference; one without a value is reported.
pub(super) fn replace(text: &str, line: usize, project: &Project, problems: &Problems) -> Node {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{resolve:") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        rest = after;
        if let Some(value) = project.resolve.get(name) {
            out.push_str(value);
        } else {
            let message = format!(
                "{{{{resolve:{name}}}}} is stored in the cloud, which this host does not call. \
                 Write its value into usher.toml: [resolve] \"{name}\" = \"...\" or {{ file = \
                 \"...\" }}."
            );
            problems.error(line, message);
        }
    }
    out.push_str(rest);
    Node::scalar(line, out)
}

//! Functions that this host cannot run: language runtimes and container images.

use std::path::Path;

use super::super::resources::Resource;
use super::super::scope::Scope;
use super::{KIND, script};
use crate::document::Node;
use crate::model::{Application, Language, SkippedFunction};

/// Prefixes of Lambda's language runtimes; a version follows ("Lambda runtimes").
const LANGUAGES: &str = "nodejs python java dotnetcore dotnet ruby go";

/// Managed instances of a language runtime take several events at one time in a way of their own.
const MANAGED: &str = "CapacityProviderConfig";

/// Stands for the runtime of a container image.
const IMAGE: &str = "image";

/// The function, if this host cannot run it.
pub(super) fn read(
    resource: &Resource,
    scope: &Scope<'_>,
    folder: &Path,
) -> Option<SkippedFunction> {
    let evaluate = || resource.resolved("PackageType Runtime", scope);
    let properties = scope.problems.ignoring(evaluate)?;
    let text = |key: &str| properties.get(key).and_then(Node::text);
    let with_uri = resource.has("ImageUri", scope);
    let (key, runtime, reason) = if with_uri || text("PackageType") == Some("Image") {
        let key = if with_uri { "ImageUri" } else { "PackageType" };
        let reason = "it is a container image, and this host runs no containers";
        (key, IMAGE, reason.to_owned())
    } else {
        let runtime = text("Runtime").filter(|runtime| is_language(runtime))?;
        let reason = match Language::of(runtime) {
            None => format!("{runtime} is a language runtime that this host does not run"),
            Some(language) if !scope.project.languages.contains(&language) => format!(
                "runtime {runtime} needs {}, which is not in PATH",
                language.program()
            ),
            Some(_) if resource.has(MANAGED, scope) => {
                format!("managed instances of the runtime {runtime} are not run by this host")
            }
            Some(language) => script::not_built(resource, language, scope, folder)?,
        };
        ("Runtime", runtime, reason)
    };
    let message = format!(
        "function {} is left out: {reason}. Its triggers do not start, its queues and topics are \
         not read, and requests for it are answered with an error.",
        resource.id
    );
    scope.problems.warn(resource.line_of(key), message);
    Some(SkippedFunction {
        name: scope.name_of(&resource.id),
        runtime: runtime.to_owned(),
        reason,
    })
}

fn is_language(runtime: &str) -> bool {
    let version = LANGUAGES
        .split(' ')
        .find_map(|language| runtime.strip_prefix(language));
    version.is_some_and(|version| {
        version.is_empty() || version.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Reports a template of which no function would run.
pub(super) fn check(application: &Application, scope: &Scope<'_>) {
    let mut functions = scope.of_kind(KIND);
    let Some(first) = scope.of_kind(KIND).next() else {
        return;
    };
    if !functions.all(|resource| application.skipped.contains_key(&resource.id)) {
        return;
    }
    let all: Vec<String> = application
        .skipped
        .iter()
        .map(|(id, skipped)| format!("{id} ({})", skipped.runtime))
        .collect();
    let keys = ["Runtime", "ImageUri", "PackageType"];
    let key = keys.iter().find(|key| first.properties.get(key).is_some());
    let message = format!(
        "no function of the template runs here: {}. This host runs native executables, \
         and functions of Python and Node.js where these are installed. Write `Runtime: \
         provided.al2023` (and build an executable named bootstrap).",
        all.join(", ")
    );
    let line = key.map_or(first.line, |key| first.line_of(key));
    scope.problems.error(line, message);
}

#[cfg(test)]
mod tests {
    use super::is_language;

    #[test]
    fn language_runtimes_differ_from_misspelt_ones() {
        for language in [
            "python3.13",
            "nodejs22.x",
            "java21",
            "dotnet8",
            "dotnetcore3.1",
            "ruby3.4",
            "go1.x",
            "nodejs",
        ] {
            assert!(is_language(language), "{language}");
        }
        for other in [
            "provided.al2023",
            "provided.al2",
            "provded.al2023",
            "rust1.x",
            "",
            "pythonic",
            "javascript",
        ] {
            assert!(!is_language(other), "{other}");
        }
    }
}

//! Source of a function's executable: a cargo package, another tool, or an earlier build.

use std::path::{Path, PathBuf};

use super::super::resources::{Resource, resolved};
use super::super::scope::Scope;
use crate::document::{Node, Problems, Reader, parse_toml};
use crate::model::{Code, Tool, ToolBuild};

pub(super) fn read(
    resource: &Resource,
    reader: &Reader<'_>,
    scope: &Scope<'_>,
    folder: &Path,
) -> Option<Code> {
    if resource.has("InlineCode", scope) {
        let message = "InlineCode is for interpreted languages. Write CodeUri with the folder of \
            the executable.";
        resource
            .written(scope.problems)
            .error("InlineCode", message);
        return None;
    }
    let remedy = "Name the folder of the code, relative to the template.";
    let uri = reader.required("CodeUri", remedy)?;
    if uri.starts_with("s3://") {
        let message =
            format!("CodeUri {uri} is in S3, which this host does not read. Name a local folder.");
        reader.error("CodeUri", &message);
        return None;
    }
    let dir = folder.join(uri);
    let wanted = "BuildMethod BuildProperties ContextDir WorkingDirectory";
    let metadata = resolved(&resource.metadata, wanted, scope)?;
    let what = format!("Metadata of {}", resource.id);
    let metadata = Reader::new(&metadata, what, scope.problems);
    let at = |key: &str| metadata.text(key).map(|path| normal(&folder.join(path)));
    let built = normal(&folder.join(".aws-sam/build").join(&resource.id));
    let tool = |tool: Tool, source: PathBuf, working: PathBuf| {
        Some(Code::Tool(ToolBuild {
            tool,
            source,
            working,
            artifacts: built.clone(),
        }))
    };
    match metadata.text("BuildMethod") {
        Some("rust-cargolambda") => cargo(&dir, uri, &metadata, reader),
        Some("makefile") => {
            let source = at("ContextDir").unwrap_or_else(|| normal(&dir));
            if !source.join("Makefile").is_file() {
                let message = format!(
                    "there is no Makefile in {uri}. BuildMethod makefile runs its target build-{}, \
                     which leaves the executable bootstrap in $(ARTIFACTS_DIR).",
                    resource.id
                );
                reader.error("CodeUri", &message);
                return None;
            }
            let working = at("WorkingDirectory").unwrap_or_else(|| source.clone());
            tool(Tool::Make, source, working)
        }
        Some("go1.x") => tool(Tool::Go, normal(&dir), normal(&dir)),
        // Anything else is built by SAM into this folder.
        Some(_) if built.is_dir() => Some(Code::Prebuilt(built)),
        _ => Some(Code::Prebuilt(normal(&dir))),
    }
}

fn cargo(dir: &Path, uri: &str, metadata: &Reader<'_>, function: &Reader<'_>) -> Option<Code> {
    let Ok(text) = std::fs::read_to_string(dir.join("Cargo.toml")) else {
        let message = format!(
            "there is no Cargo.toml in {uri}. CodeUri of a rust-cargolambda function is the folder \
             of its cargo package, relative to the template."
        );
        function.error("CodeUri", &message);
        return None;
    };
    let properties = metadata.child("BuildProperties");
    let written = properties.and_then(|properties| properties.string("Binary"));
    let manifest = parse_toml(&text, &Problems::new("Cargo.toml"));
    let binary = written.or_else(|| binary_of_package(&manifest));
    if binary.is_none() && manifest.get("workspace").is_none() {
        let message = format!(
            "{uri}/Cargo.toml has neither [package] with a name nor [workspace]. Write [package] \
             name."
        );
        function.error("CodeUri", &message);
        return None;
    }
    let dir = normal(dir);
    Some(Code::Cargo { dir, binary })
}

/// The default binary of a package: its only `[[bin]]`, else `default-run`, else the package's
/// name. `None`: there is no package.
fn binary_of_package(manifest: &Node) -> Option<String> {
    let package = manifest.get("package")?;
    let only = match manifest.get("bin").map(Node::items) {
        Some([only]) => only.get("name"),
        _ => None,
    };
    only.or_else(|| package.get("default-run"))
        .or_else(|| package.get("name"))?
        .text()
        .map(str::to_owned)
}

/// The path without `.` and `..`, for messages and comparisons.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

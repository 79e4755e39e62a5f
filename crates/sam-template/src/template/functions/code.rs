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
    problems: &mut Problems,
) -> Option<Code> {
    if resource.has("InlineCode", scope) {
        problems.error(
            resource.line_of("InlineCode"),
            format!(
                "{}: InlineCode is for interpreted languages. Write CodeUri with the folder of \
                 the executable.",
                reader.what
            ),
        );
        return None;
    }
    let uri = reader.required(
        "CodeUri",
        "Name the folder of the code, relative to the template.",
        problems,
    )?;
    let line = reader.line("CodeUri");
    if uri.starts_with("s3://") {
        problems.error(
            line,
            format!(
                "{}: CodeUri {uri} is in S3, which this host does not read. Name a local folder.",
                reader.what
            ),
        );
        return None;
    }
    let dir = folder.join(uri);
    let wanted = [
        "BuildMethod",
        "BuildProperties",
        "ContextDir",
        "WorkingDirectory",
    ];
    let metadata = resolved(&resource.metadata, &wanted, scope, problems)?;
    let metadata = Reader::new(&metadata, format!("Metadata of {}", resource.id));
    let at = |key: &str, problems: &mut Problems| {
        metadata
            .text(key, problems)
            .map(|path| normal(&folder.join(path)))
    };
    let tool = |tool: Tool, source: PathBuf, working: PathBuf| {
        let artifacts = normal(&folder.join(".aws-sam/build").join(&resource.id));
        Some(Code::Tool(ToolBuild {
            tool,
            source,
            working,
            artifacts,
        }))
    };
    match metadata.text("BuildMethod", problems) {
        Some("rust-cargolambda") => cargo(&dir, uri, line, &metadata, reader, problems),
        Some("makefile") => {
            let source = at("ContextDir", problems).unwrap_or_else(|| normal(&dir));
            if !source.join("Makefile").is_file() {
                let message = format!(
                    "{}: there is no Makefile in {uri}. BuildMethod makefile runs its target \
                     build-{}, which leaves the executable bootstrap in $(ARTIFACTS_DIR).",
                    reader.what, resource.id
                );
                problems.error(line, message);
                return None;
            }
            let working = at("WorkingDirectory", problems).unwrap_or_else(|| source.clone());
            tool(Tool::Make, source, working)
        }
        Some("go1.x") => tool(Tool::Go, normal(&dir), normal(&dir)),
        // Anything else is built by SAM into this folder.
        Some(_) => {
            let built = folder.join(".aws-sam/build").join(&resource.id);
            Some(Code::Prebuilt(normal(if built.is_dir() {
                &built
            } else {
                &dir
            })))
        }
        None => Some(Code::Prebuilt(normal(&dir))),
    }
}

fn cargo(
    dir: &Path,
    uri: &str,
    line: usize,
    metadata: &Reader<'_>,
    function: &Reader<'_>,
    problems: &mut Problems,
) -> Option<Code> {
    let manifest = dir.join("Cargo.toml");
    let Ok(text) = std::fs::read_to_string(&manifest) else {
        problems.error(
            line,
            format!(
                "{}: there is no Cargo.toml in {uri}. CodeUri of a rust-cargolambda function is \
                 the folder of its cargo package, relative to the template.",
                function.what
            ),
        );
        return None;
    };
    let written = metadata
        .child("BuildProperties", problems)
        .and_then(|p| p.text("Binary", problems).map(str::to_owned));
    let mut ignored = Problems::new("Cargo.toml");
    let manifest = parse_toml(&text, &mut ignored);
    let binary = written.or_else(|| binary_of_package(&manifest));
    if binary.is_none() && manifest.get("workspace").is_none() {
        problems.error(
            line,
            format!(
                "{}: {uri}/Cargo.toml has neither [package] with a name nor [workspace]. Write \
                 [package] name.",
                function.what
            ),
        );
        return None;
    }
    Some(Code::Cargo {
        dir: normal(dir),
        binary,
    })
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
fn normal(path: &Path) -> PathBuf {
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

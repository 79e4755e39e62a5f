//! Code and layers of a function of a language runtime.

use std::path::{Path, PathBuf};

use super::super::calls::call;
use super::super::resources::{Resource, resolved};
use super::super::scope::Scope;
use super::code::normal;
use crate::document::{Node, Reader};
use crate::model::{Code, Language, Script, ScriptSource};

/// Resources of layers, and the property with the folder of their content.
const LAYERS: [(&str, &str); 2] = [
    ("AWS::Serverless::LayerVersion", "ContentUri"),
    ("AWS::Lambda::LayerVersion", "Content"),
];

/// What to write as `Handler`.
pub(super) fn handler_remedy(language: Language) -> &'static str {
    match language {
        Language::Python => "Write the module and its function: `Handler: app.handler`.",
        Language::Node => {
            "Write the file without its suffix and the export: `Handler: app.handler`."
        }
    }
}

pub(super) fn read(
    resource: &Resource,
    reader: &Reader<'_>,
    language: Language,
    scope: &Scope<'_>,
    folder: &Path,
) -> Option<Code> {
    let source = source(resource, reader, scope, folder)?;
    Some(Code::Script(Script {
        language,
        runtime: reader.text("Runtime")?.to_owned(),
        source,
        layers: layers(resource, scope, folder),
        builds: normal(&folder.join(".usher/functions").join(&resource.id)),
    }))
}

fn source(
    resource: &Resource,
    reader: &Reader<'_>,
    scope: &Scope<'_>,
    folder: &Path,
) -> Option<ScriptSource> {
    if resource.has("InlineCode", scope) {
        let properties = resource.resolved("InlineCode", scope)?;
        let text = properties.get("InlineCode").and_then(Node::text)?;
        return Some(ScriptSource::Inline(text.to_owned()));
    }
    let remedy = "Name the folder of the code, relative to the template.";
    let uri = reader.required("CodeUri", remedy)?;
    let dir = match built_by_sam(resource, scope, folder) {
        Some(built) => built,
        None => normal(&folder.join(uri)),
    };
    if !dir.is_dir() {
        let message = if uri.starts_with("s3://") {
            format!("CodeUri {uri} is in S3, which this host does not read. {remedy}")
        } else {
            format!("there is no folder {}. {remedy}", dir.display())
        };
        reader.error("CodeUri", &message);
        return None;
    }
    Some(ScriptSource::Folder(dir))
}

/// The `BuildMethod` that this host does not run.
fn other_method(resource: &Resource, language: Language, scope: &Scope<'_>) -> Option<String> {
    let metadata = resolved(&resource.metadata, "BuildMethod", scope)?;
    let method = metadata.get("BuildMethod").and_then(Node::text)?;
    (Language::of(method) != Some(language)).then(|| method.to_owned())
}

/// The folder that `sam build` left, for a function that this host does not build itself.
fn built_by_sam(resource: &Resource, scope: &Scope<'_>, folder: &Path) -> Option<PathBuf> {
    let properties = resource.resolved("Runtime", scope)?;
    let language = properties
        .get("Runtime")
        .and_then(Node::text)
        .and_then(Language::of)?;
    other_method(resource, language, scope)?;
    Some(sam_folder(resource, folder))
}

fn sam_folder(resource: &Resource, folder: &Path) -> PathBuf {
    normal(&folder.join(".aws-sam/build").join(&resource.id))
}

/// Why a function with another `BuildMethod` (such as esbuild) is skipped: SAM has not built it.
pub(super) fn not_built(
    resource: &Resource,
    language: Language,
    scope: &Scope<'_>,
    folder: &Path,
) -> Option<String> {
    let method = other_method(resource, language, scope)?;
    let built = sam_folder(resource, folder);
    (!built.is_dir()).then(|| {
        format!(
            "this host does not run its BuildMethod {method}, and `sam build` has not left {}",
            built.display()
        )
    })
}

/// The folders of the layers. A layer that is no folder here is reported and left out.
fn layers(resource: &Resource, scope: &Scope<'_>, folder: &Path) -> Vec<PathBuf> {
    let written = resource
        .properties
        .get("Layers")
        .map_or(&[][..], Node::items);
    let mut folders = Vec::new();
    for layer in written {
        match layer_folder(layer, scope, folder) {
            Ok(found) => folders.push(found),
            Err(why) => {
                let message = format!(
                    "a layer of function {} is left out: {why}. Write `!Ref` of an \
                     AWS::Serverless::LayerVersion with a folder as ContentUri.",
                    resource.id
                );
                scope.problems.warn(layer.line, message);
            }
        }
    }
    folders
}

/// Why a layer is left out.
#[derive(Debug, thiserror::Error)]
enum LayerError {
    #[error("it is not declared in this template")]
    Elsewhere,
    #[error("{0} is no layer of this template")]
    NoLayer(String),
    #[error("{0} has no folder as {1}")]
    NoContent(String, &'static str),
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
}

fn layer_folder(layer: &Node, scope: &Scope<'_>, folder: &Path) -> Result<PathBuf, LayerError> {
    let named = call(layer).filter(|call| call.key == "Ref");
    let id = named
        .and_then(|call| call.value.text())
        .ok_or(LayerError::Elsewhere)?;
    let declared = scope.resource(id).and_then(|found| {
        let kind = LAYERS.iter().find(|(kind, _)| *kind == found.kind)?;
        Some((found, kind.1))
    });
    let (found, property) = declared.ok_or_else(|| LayerError::NoLayer(id.to_owned()))?;
    let properties = found.resolved(property, scope);
    let uri = properties.as_ref().and_then(|all| all.get(property));
    let uri = uri
        .and_then(Node::text)
        .ok_or_else(|| LayerError::NoContent(id.to_owned(), property))?;
    let built = sam_folder(found, folder);
    let by_sam = found.metadata.get("BuildMethod").is_some();
    let content = if by_sam && built.is_dir() {
        built
    } else {
        normal(&folder.join(uri))
    };
    if !content.is_dir() {
        return Err(LayerError::NoFolder(content));
    }
    if by_sam && !sam_folder(found, folder).is_dir() {
        let message = format!(
            "layer {id}: this host does not run a layer's BuildMethod. {uri} is used as it is; run \
             `sam build {id}` to have its packages."
        );
        scope.problems.warn(found.line, message);
    }
    Ok(content)
}

//! `AWS::Serverless::Function`: what to run, not what triggers it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::logging;
use super::reserved;
use super::resources::{Resource, resolved};
use super::scope::Scope;
use crate::document::{Node, Problems, Reader, parse_toml};
use crate::model::{Application, Code, Function, Tool, ToolBuild};

pub(super) const KIND: &str = "AWS::Serverless::Function";

const READ: [&str; 15] = [
    "FunctionName",
    "Runtime",
    "PackageType",
    "CodeUri",
    "InlineCode",
    "ImageUri",
    "Handler",
    "Timeout",
    "MemorySize",
    "Environment",
    "ReservedConcurrentExecutions",
    "Layers",
    "VpcConfig",
    "FileSystemConfigs",
    "LoggingConfig",
];

/// What SAM takes beside those; spelt here so that a misspelt property is noticed.
const ALSO: [&str; 34] = [
    "Architectures",
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DeadLetterQueue",
    "DeploymentPreference",
    "Description",
    "DurableConfig",
    "EphemeralStorage",
    "EventInvokeConfig",
    "Events",
    "FunctionScalingConfig",
    "FunctionUrlConfig",
    "ImageConfig",
    "KmsKeyArn",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "Role",
    "RolePath",
    "RuntimeManagementConfig",
    "SnapStart",
    "SourceKMSKeyArn",
    "Tags",
    "TenancyConfig",
    "Tracing",
    "VersionDeletionPolicy",
    "VersionDescription",
];

/// Properties that do nothing here, with what that means for the function.
const WITHOUT: [(&str, &str); 3] = [
    ("Layers", "layers are not unpacked; the function runs without them"),
    ("VpcConfig", "the function uses this machine's network"),
    ("FileSystemConfigs", "file systems are not mounted"),
];

/// Lets references to functions yield the names they give themselves. Whatever is wrong with a name is reported when
/// the function is read.
pub(super) fn name(resources: &[Resource], scope: &mut Scope<'_>) {
    for resource in resources.iter().filter(|r| r.kind == KIND) {
        let properties = resource.resolved(&["FunctionName"], scope, &mut Problems::new(""));
        let given = properties.as_ref().and_then(|p| p.get("FunctionName")).and_then(Node::text).map(str::to_owned);
        if let Some(given) = given {
            scope.name(&resource.id, given);
        }
    }
}

/// Reads every function into the application.
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    folder: &Path,
    application: &mut Application,
    problems: &mut Problems,
) {
    for resource in resources.iter().filter(|r| r.kind == KIND) {
        let known: Vec<&str> = READ.iter().chain(&ALSO).copied().collect();
        Reader::new(&resource.properties, format!("function {}", resource.id)).only(&known, problems);
        if let Some(function) = one(resource, scope, folder, problems) {
            application.functions.insert(resource.id.clone(), function);
        }
    }
}

/// A function's logical id from its name, ARN or logical id.
pub(super) fn by_name(name: &str, resources: &[Resource], scope: &Scope<'_>) -> Option<String> {
    let bare = match name.split_once(":function:") {
        Some((_, rest)) => rest.split([':', '/']).next().unwrap_or(rest),
        None => name,
    };
    let functions = resources.iter().filter(|r| r.kind == KIND);
    functions.map(|r| &r.id).find(|id| id.as_str() == bare || scope.name_of(id) == bare).cloned()
}

fn one(resource: &Resource, scope: &Scope<'_>, folder: &Path, problems: &mut Problems) -> Option<Function> {
    let properties = resource.resolved(&READ, scope, problems)?;
    let reader = Reader::new(&properties, format!("function {}", resource.id));
    for (key, meaning) in WITHOUT {
        if reader.get(key).is_some() {
            problems.warn(reader.line(key), format!("function {}: {key} is left out: {meaning}.", resource.id));
        }
    }
    let before = problems.mark();
    check_runtime(&reader, problems);
    check_name(&reader, problems);
    let code = code(resource, &reader, scope, folder, problems);
    let function = Function {
        id: resource.id.clone(),
        name: reader.text("FunctionName", problems).map_or_else(|| scope.name_of(&resource.id), str::to_owned),
        code: code?,
        place: format!("{}:{}", problems.file(), reader.line("CodeUri")),
        handler: reader.text("Handler", problems).unwrap_or("bootstrap").to_owned(),
        timeout: Duration::from_secs(reader.number("Timeout", 1..=900, problems).unwrap_or(3) as u64),
        memory_mb: reader.number("MemorySize", 128..=10_240, problems).unwrap_or(128) as u32,
        concurrency: reader.number("ReservedConcurrentExecutions", 0..=100_000, problems).map(|n| n as u32),
        environment: variables(&reader, problems),
        logging: logging::read(&reader, problems),
    };
    let sound = problems.mark() == before;
    if sound && function.concurrency == Some(0) {
        let text =
            "it never runs with ReservedConcurrentExecutions: 0. HTTP answers 503, schedules are dropped, records of Kafka wait.";
        problems.warn(reader.line("ReservedConcurrentExecutions"), format!("{}: {text}", reader.what));
    }
    sound.then_some(function)
}

/// Bounds of the service: up to 64 letters, digits, hyphens and underscores.
fn check_name(reader: &Reader<'_>, problems: &mut Problems) {
    let Some(name) = reader.text("FunctionName", problems) else { return };
    let sound = (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !sound {
        let message = format!(
            "{}: FunctionName is '{name}', and a function's name has up to 64 letters, digits, - and _. Rename it.",
            reader.what
        );
        problems.wrong_kind(reader.line("FunctionName"), "FunctionName", message);
    }
}

fn check_runtime(reader: &Reader<'_>, problems: &mut Problems) {
    if reader.text("PackageType", problems) == Some("Image") || reader.get("ImageUri").is_some() {
        let line = reader.line(if reader.get("ImageUri").is_some() { "ImageUri" } else { "PackageType" });
        problems.error(
            line,
            format!(
                "{} is a container image, and this host runs no containers. Package it as a zip with an executable bootstrap.",
                reader.what
            ),
        );
        return;
    }
    let remedy = "Write `Runtime: provided.al2023` (and build an executable named bootstrap).";
    let Some(runtime) = reader.required("Runtime", remedy, problems) else { return };
    if !matches!(runtime, "provided.al2023" | "provided.al2" | "provided") {
        problems.error(
            reader.line("Runtime"),
            format!("{}: runtime {runtime} needs a language runtime that this host does not bring; it runs native executables. {remedy}", reader.what),
        );
    }
}

/// Where the executable comes from: a cargo package, or what another build left.
fn code(resource: &Resource, reader: &Reader<'_>, scope: &Scope<'_>, folder: &Path, problems: &mut Problems) -> Option<Code> {
    if reader.get("InlineCode").is_some() {
        problems.error(
            reader.line("InlineCode"),
            format!("{}: InlineCode is for interpreted languages. Write CodeUri with the folder of the executable.", reader.what),
        );
        return None;
    }
    if reader.get("ImageUri").is_some() || reader.get("PackageType").and_then(Node::text) == Some("Image") {
        return None;
    }
    let uri = reader.required("CodeUri", "Name the folder of the code, relative to the template.", problems)?;
    let line = reader.line("CodeUri");
    if uri.starts_with("s3://") {
        problems
            .error(line, format!("{}: CodeUri {uri} is in S3, which is not asked from here. Name a local folder.", reader.what));
        return None;
    }
    let dir = folder.join(uri);
    let wanted = ["BuildMethod", "BuildProperties", "ContextDir", "WorkingDirectory"];
    let metadata = resolved(&resource.metadata, &wanted, scope, problems)?;
    let metadata = Reader::new(&metadata, format!("Metadata of {}", resource.id));
    let at = |key: &str, problems: &mut Problems| metadata.text(key, problems).map(|path| normal(&folder.join(path)));
    let tool = |tool: Tool, source: PathBuf, working: PathBuf| {
        let artifacts = normal(&folder.join(".aws-sam/build").join(&resource.id));
        Some(Code::Tool(ToolBuild { tool, source, working, artifacts }))
    };
    match metadata.text("BuildMethod", problems) {
        Some("rust-cargolambda") => cargo(&dir, uri, line, &metadata, reader, problems),
        Some("makefile") => {
            let source = at("ContextDir", problems).unwrap_or_else(|| normal(&dir));
            if !source.join("Makefile").is_file() {
                let message = format!(
                    "{}: there is no Makefile in {uri}. BuildMethod makefile runs its target build-{}, which leaves the executable \
                     bootstrap in $(ARTIFACTS_DIR).",
                    reader.what, resource.id
                );
                problems.error(line, message);
                return None;
            }
            let working = at("WorkingDirectory", problems).unwrap_or_else(|| source.clone());
            tool(Tool::Make, source, working)
        }
        Some("go1.x") => tool(Tool::Go, normal(&dir), normal(&dir)),
        // Anything else is built by SAM; its result stands in its own folder.
        Some(_) => {
            let built = folder.join(".aws-sam/build").join(&resource.id);
            Some(Code::Prebuilt(normal(if built.is_dir() { &built } else { &dir })))
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
        problems.error(line, format!("{}: there is no Cargo.toml in {uri}. CodeUri of a rust-cargolambda function is the folder of its cargo package, relative to the template.", function.what));
        return None;
    };
    let written = metadata.child("BuildProperties", problems).and_then(|p| p.text("Binary", problems).map(str::to_owned));
    let binary = written.or_else(|| package_name(&text));
    let Some(binary) = binary else {
        problems.error(
            line,
            format!(
                "{}: {uri}/Cargo.toml names no package. Write [package] name, or Metadata BuildProperties Binary.",
                function.what
            ),
        );
        return None;
    };
    Some(Code::Cargo { dir: normal(dir), binary })
}

/// The binary that a package makes when nothing is said: its only `[[bin]]`, else one of the package's own name.
fn package_name(manifest: &str) -> Option<String> {
    let mut ignored = Problems::new("Cargo.toml");
    let root = parse_toml(manifest, &mut ignored);
    if let Some([only]) = root.get("bin").map(Node::items) {
        return only.get("name")?.text().map(str::to_owned);
    }
    root.get("package")?.get("name")?.text().map(str::to_owned)
}

fn variables(reader: &Reader<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let Some(environment) = reader.child("Environment", problems) else { return variables };
    environment.only(&["Variables"], problems);
    let Some(section) = environment.child("Variables", problems) else { return variables };
    for entry in section.node.entries() {
        let (name, line) = (&entry.key, entry.line);
        if let Some(why) = reserved::refusal(name) {
            problems.error(line, format!("{}: {why}", reader.what));
        } else if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            problems.error(
                line,
                format!("{}: '{name}' cannot name a variable. Use letters, digits and _, beginning with a letter.", reader.what),
            );
        } else if let Some(text) = entry.value.text() {
            variables.insert(name.clone(), text.to_owned());
        } else {
            problems.error(
                line,
                format!(
                    "{}: the variable {name} must be text, not {}. Join lists with !Join.",
                    reader.what,
                    entry.value.describe()
                ),
            );
        }
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > 4096 {
        problems.warn(
            section.node.line,
            format!("{}: the variables take {bytes} bytes; Lambda refuses more than 4096.", reader.what),
        );
    }
    variables
}

/// Without `.` and `..`, so that messages and comparisons are plain.
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

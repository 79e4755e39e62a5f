//! What a function of a running host was started with. By these fingerprints a command finds out
//! whether the host runs the function as the command's own arguments say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::instances::arn;
use sam_template::model::{Code, Function};

/// Bytes of a SHA-256 digest that the file keeps.
const FINGERPRINT_BYTES: usize = 16;

/// One function of a host. Values are fingerprints (SHA-256 over the run's id and the value), so
/// that the file holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// By property: `Timeout`, `variable TABLE`.
    values: BTreeMap<String, String>,
    pub(crate) executable: Option<PathBuf>,
}

impl Definition {
    pub(crate) fn of(function: &Function, executable: Option<PathBuf>, run: &str) -> Self {
        let own = [
            ("ARN", arn(function)),
            ("CodeUri", code_path(&function.code)),
            ("Handler", function.handler.clone()),
            ("Timeout", format!("{:?}", function.timeout)),
            ("MemorySize", function.memory_mb.to_string()),
            ("LoggingConfig", format!("{:?}", function.logging)),
            (
                "CapacityProviderConfig",
                format!(
                    "{:?}",
                    function.managed.as_ref().map(|own| own.max_concurrency)
                ),
            ),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), fingerprint(run, &value)));
        let variables = function.environment.iter();
        let variables =
            variables.map(|(name, value)| (format!("variable {name}"), fingerprint(run, value)));
        let values = own.into_iter().chain(variables);
        Self {
            values: values.collect(),
            executable,
        }
    }

    /// Names of the properties that differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<&String> =
            self.values.keys().chain(other.values.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.values.get(*name) != other.values.get(*name))
            .cloned()
            .collect()
    }
}

/// Where the code is, with resolved paths: two commands may write one folder in two ways.
fn code_path(code: &Code) -> String {
    let real = |path: &Path| {
        std::fs::canonicalize(path)
            .unwrap_or_else(|_| path.to_owned())
            .display()
            .to_string()
    };
    match code {
        Code::Cargo { dir, binary } => format!("cargo {} {binary:?}", real(dir)),
        Code::Tool(build) => format!(
            "{:?} {} {}",
            build.tool,
            real(&build.source),
            real(&build.working)
        ),
        Code::Script(script) => {
            format!("{} {:?} {:?}", script.runtime, script.source, script.layers)
        }
        Code::Prebuilt(path) => real(path),
    }
}

fn fingerprint(run: &str, value: &str) -> String {
    let digest = Sha256::new()
        .chain_update(run)
        .chain_update([0])
        .chain_update(value)
        .finalize();
    hex::encode(&digest[..FINGERPRINT_BYTES])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sam_template::model::ManagedInstances;

    use super::*;
    use crate::invoke_api::function_fixture as function;

    #[test]
    fn differences_name_the_changed_properties() {
        let one = function();
        let mut other = function();
        assert!(
            Definition::of(&one, None, "r")
                .differences(&Definition::of(&other, None, "r"))
                .is_empty()
        );
        other.timeout = Duration::from_secs(9);
        other.managed = Some(ManagedInstances {
            max_concurrency: 8,
            max_instances: None,
        });
        other
            .environment
            .insert("TABLE".to_owned(), "secret-value".to_owned());
        let [one, other] = [&one, &other].map(|function| Definition::of(function, None, "r"));
        let changed = ["CapacityProviderConfig", "Timeout", "variable TABLE"];
        assert_eq!(one.differences(&other), changed);
        assert!(
            !serde_json::to_string(&other)
                .unwrap()
                .contains("secret-value")
        );
    }
}

//! A copy of the application with other settings: functions that run in chosen execution models, or
//! a login of Kafka.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::locations::{Checkout, Servers};

/// A function whose processes handle several invocations at the same time, as on Lambda Managed
/// Instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedFunction {
    /// Logical id in the template.
    pub function: &'static str,
    /// Invocations of one process at the same time.
    pub max_concurrency: u32,
    /// Maximum number of processes.
    pub instances: u32,
}

/// Writes the checkout's template and usher.toml into `folder`. There these functions are managed;
/// a process of every other function handles one invocation at a time, whatever the checkout's
/// usher.toml says. Returns the path of the template.
pub fn write(checkout: &Checkout, folder: &Path, functions: &[ManagedFunction]) -> Result<PathBuf> {
    copy(checkout, folder, |settings| {
        let mut settings = classic(&settings);
        settings.extend(functions.iter().map(table));
        settings
    })
}

/// Writes the checkout's template and usher.toml into `folder`, if the event source mappings need a
/// login or an authority to reach Kafka: `usher` reads both from files. Returns the path of the
/// template.
pub fn with_login(
    checkout: &Checkout,
    folder: &Path,
    servers: &Servers,
) -> Result<Option<PathBuf>> {
    let (Some(login), Some(authority)) = (&servers.kafka_login, &servers.authority) else {
        return Ok(None);
    };
    let certificate = fs::read_to_string(authority);
    let certificate =
        certificate.with_context(|| format!("cannot read {}", authority.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let login = json!({ "username": login.user, "password": login.password });
    fs::write(folder.join("login.json"), login.to_string())?;
    let authority = json!({ "certificate": certificate });
    fs::write(folder.join("ca.json"), authority.to_string())?;
    let cluster = format!(
        "\n[kafka]\n\"{brokers}\" = {{ servers = \"{brokers}\", auth = \"SASL_SCRAM_512_AUTH\", \
         secret = \"login.json\", ca = \"ca.json\" }}\n",
        brokers = servers.brokers
    );
    copy(checkout, folder, |settings| settings + &cluster).map(Some)
}

/// Copies both files; `change` changes the settings.
fn copy(
    checkout: &Checkout,
    folder: &Path,
    change: impl FnOnce(String) -> String,
) -> Result<PathBuf> {
    let read = |name: &str| {
        let file = checkout.root.join(name);
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
    };
    let code = format!("CodeUri: {}/functions/", checkout.root.display());
    let template = read("template.yaml")?.replace("CodeUri: functions/", &code);
    let settings = change(read("usher.toml")?);
    let file = folder.join("template.yaml");
    fs::write(&file, template)?;
    fs::write(folder.join("usher.toml"), settings)?;
    Ok(file)
}

/// The settings without the tables that say how functions run.
fn classic(settings: &str) -> String {
    let mut kept = true;
    let mut rest = String::new();
    for line in settings.lines() {
        if line.starts_with('[') {
            kept = !line.starts_with("[functions.");
        }
        if kept {
            rest += line;
            rest.push('\n');
        }
    }
    rest
}

fn table(function: &ManagedFunction) -> String {
    let ManagedFunction {
        function,
        max_concurrency,
        instances,
    } = function;
    format!(
        "\n[functions.{function}]\nmax-concurrency = {max_concurrency}\ninstances = {instances}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_functions_are_managed() {
        let settings = "stack = \"a\"\n[functions.A]\ninstances = 1\n[schedules]\nb = 1\n";
        assert_eq!(classic(settings), "stack = \"a\"\n[schedules]\nb = 1\n");
        let managed = table(&ManagedFunction {
            function: "B",
            max_concurrency: 64,
            instances: 2,
        });
        assert_eq!(
            managed,
            "\n[functions.B]\nmax-concurrency = 64\ninstances = 2\n"
        );
    }
}

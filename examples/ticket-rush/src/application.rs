//! A copy of the application with other settings: functions that run in chosen execution models,
//! logins, or further variables.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
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
    copy(checkout, folder, &[], |settings| {
        let mut settings = classic(&settings);
        settings.extend(functions.iter().map(table));
        settings
    })
}

/// Writes the checkout's template and usher.toml into `folder`. There every function has these
/// variables as well. Returns the path of the template.
pub fn with_variables(
    checkout: &Checkout,
    folder: &Path,
    variables: &[(&str, String)],
) -> Result<PathBuf> {
    copy(checkout, folder, variables, |settings| settings)
}

/// Writes the checkout's template and usher.toml into `folder` if the servers require logins: they
/// stand in that usher.toml. Returns the path of the template.
pub fn with_logins(
    checkout: &Checkout,
    folder: &Path,
    servers: &Servers,
) -> Result<Option<PathBuf>> {
    if servers.logins().is_empty() {
        return Ok(None);
    }
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700);
    let created = private.create(folder);
    created.with_context(|| format!("cannot create {}", folder.display()))?;
    let cluster = cluster(folder, servers)?;
    let change = |settings: String| {
        let settings = logged_in(&settings, &servers.logins());
        redis_endpoint(&settings, servers) + &cluster
    };
    copy(checkout, folder, &[], change).map(Some)
}

/// The settings with the Redis of the host itself, if it requires a login.
fn redis_endpoint(settings: &str, servers: &Servers) -> String {
    let Some(login) = &servers.cache_login else {
        return settings.to_owned();
    };
    let login = format!("{}:{}@", encoded(&login.user), encoded(&login.password));
    let url = servers.cache_url.replacen("://", &format!("://{login}"), 1);
    let authority = servers.authority.as_ref();
    let authority = authority.map(|file| format!("redis-ca = {}\n", json!(file)));
    let authority = authority.unwrap_or_default();
    let section = format!("[endpoints]\nredis = {}\n{authority}", json!(url));
    let others = settings
        .lines()
        .filter(|line| !line.starts_with("redis = "));
    let others: String = others.flat_map(|line| [line, "\n"]).collect();
    others.replacen("[endpoints]\n", &section, 1)
}

/// Percent-encoded for a URL.
fn encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// The settings with these parameters. A JSON string is a string of TOML as well.
fn logged_in(settings: &str, logins: &[(&str, &str)]) -> String {
    let mut section = "[parameters]\n".to_owned();
    section.extend(
        logins
            .iter()
            .map(|(name, value)| format!("{name} = {}\n", json!(value))),
    );
    settings.replacen("[parameters]\n", &section, 1)
}

/// The section for the event source mappings, which read login and authority from files.
fn cluster(folder: &Path, servers: &Servers) -> Result<String> {
    let (Some(login), Some(authority)) = (&servers.kafka_login, &servers.authority) else {
        return Ok(String::new());
    };
    let certificate = fs::read_to_string(authority);
    let certificate =
        certificate.with_context(|| format!("cannot read {}", authority.display()))?;
    let login = json!({ "username": login.user, "password": login.password });
    fs::write(folder.join("login.json"), login.to_string())?;
    let authority = json!({ "certificate": certificate });
    fs::write(folder.join("ca.json"), authority.to_string())?;
    Ok(format!(
        "\n[kafka]\n\"{brokers}\" = {{ servers = \"{brokers}\", auth = \"SASL_SCRAM_512_AUTH\", \
         secret = \"login.json\", ca = \"ca.json\" }}\n",
        brokers = servers.brokers
    ))
}

/// Copies both files: the template with these variables of all functions, the settings as `change`
/// changes them.
fn copy(
    checkout: &Checkout,
    folder: &Path,
    variables: &[(&str, String)],
    change: impl FnOnce(String) -> String,
) -> Result<PathBuf> {
    let read = |name: &str| {
        let file = checkout.root.join(name);
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
    };
    let code = format!("CodeUri: {}/functions/", checkout.root.display());
    let template = read("template.yaml")?.replace("CodeUri: functions/", &code);
    let template = with_globals(&template, variables);
    let settings = change(read("usher.toml")?);
    let file = folder.join("template.yaml");
    fs::write(&file, template)?;
    fs::write(folder.join("usher.toml"), settings)?;
    Ok(file)
}

/// The template with these variables before those that all its functions have. A JSON string is a
/// string of YAML as well.
fn with_globals(template: &str, variables: &[(&str, String)]) -> String {
    let first = "        ENV_PREFIX: !Ref EnvPrefix\n";
    let own = variables
        .iter()
        .map(|(name, value)| format!("        {name}: {}\n", json!(value)));
    let all: String = own.chain([first.to_owned()]).collect();
    template.replacen(first, &all, 1)
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
    fn a_password_stands_in_the_settings_as_it_is() {
        let password = "a #\"'\\%";
        let settings = "stack = \"a\"\n[parameters]\nB = 1\n";
        let changed = logged_in(settings, &[("DatabasePassword", password)]);
        let expected = "stack = \"a\"\n[parameters]\n\
                        DatabasePassword = \"a #\\\"'\\\\%\"\nB = 1\n";
        assert_eq!(changed, expected);
    }

    #[test]
    fn variables_stand_beside_those_of_all_functions() {
        let template = include_str!("../../../template.yaml");
        let changed = with_globals(template, &[("A", "b: c".to_owned())]);
        let expected =
            "      Variables:\n        A: \"b: c\"\n        ENV_PREFIX: !Ref EnvPrefix\n";
        assert!(changed.contains(expected));
    }

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

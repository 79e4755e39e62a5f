//! Settings of this machine that a template does not contain.
//!
//! Sources, in rising precedence: `usher.toml` beside the template ([`usher_toml`]), this host's
//! sections of `samconfig.toml` ([`samconfig`]), `AWS_DEFAULT_REGION` and `AWS_REGION` for the
//! region, and the command line ([`overrides`], [`env_vars`]). They are merged into one
//! [`Project`], which `template` reads. [`safety`] refuses addresses of other machines that are not
//! allowed.

mod clusters;
mod declared_sources;
mod env_vars;
mod error;
mod functions;
mod overrides;
mod safety;
mod samconfig;
mod servers;
mod setting_changes;
mod template_file;
mod usher_toml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::document::{Node, Problems, listed, parse_toml};
use crate::model::location::{is_account, is_region};
use crate::model::{
    Application, DeclaredSource, Diagnostic, EmbeddedQueues, KeySource, Language, Location,
};

use error::LocationError;

pub use clusters::{LocalCluster, SecretCopy};
pub use error::{AddressError, HttpAddressError};
pub use functions::LocalFunction;
pub use safety::{broker_list, is_this_machine, remote_hosts};
pub use servers::{InvalidPort, LocalServer, local_servers};
pub use setting_changes::{HOST, SettingChange, setting_changes};
pub use template_file::{TEMPLATES, in_folder, template_file};

/// Name of the settings file beside the template.
pub const SETTINGS: &str = "usher.toml";

/// Default address of the first API; each further API takes the next port.
pub const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 18080);

/// Variable from which every AWS SDK takes the URL of SQS; without it, the SDK calls AWS.
pub const SQS_VARIABLE: &str = "AWS_ENDPOINT_URL_SQS";

/// Every setting outside the template, merged and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// `stack`: name of the stack; default: name of the template's folder.
    pub stack: Option<String>,
    /// `profile`: cargo profile to build with.
    pub profile: Option<String>,
    /// `region`: region of ARNs and pseudo parameters.
    pub region: Option<SourcedValue>,
    /// `account`: account of ARNs and pseudo parameters.
    pub account: Option<SourcedValue>,
    /// `concurrency`: limit of instances of a function without `ReservedConcurrentExecutions`.
    pub concurrency: Option<u32>,
    /// `http`, or `[http]` with an address for each API by logical id. The key `""` is for all
    /// APIs.
    pub http: BTreeMap<String, SocketAddr>,
    /// `control`: address of the control page.
    pub control: Option<SocketAddr>,
    /// `[settings]`: values that can also be changed while the host runs.
    pub setting_changes: Vec<SettingChange>,
    /// `jwks`: public keys for JWT authorizers.
    pub jwks: Option<KeySource>,
    /// Template parameters from every source.
    pub parameters: BTreeMap<String, SourcedValue>,
    /// `[kafka]`: clusters by mapping (`Function.Event`), by logical id of a mapping, or by MSK
    /// ARN.
    pub kafka: BTreeMap<String, LocalCluster>,
    /// `[secrets]`: local copies of secrets, by their name in the template.
    pub secrets: BTreeMap<String, SecretCopy>,
    /// `[endpoints] sqs`: URL of SQS.
    pub sqs: Option<SourcedValue>,
    /// `[embedded-queues]`: how the host serves queues if no URL of SQS is given.
    pub embedded_queues: EmbeddedQueues,
    /// `[endpoints] redis`: URL of the Redis whose streams have dead letters.
    pub redis: Option<SourcedValue>,
    /// `[endpoints] redis-ca`: CA certificates (PEM) of that Redis, to trust beside those built in.
    pub redis_ca: Option<String>,
    /// `[resolve]`: values of dynamic references, by the text after `resolve:`.
    pub resolve: BTreeMap<String, String>,
    /// `[schedules]`: expressions that replace the template's, by schedule. Only here may a rate be
    /// in seconds.
    pub schedules: BTreeMap<String, String>,
    /// `[sources]`: sources of events that a template cannot declare.
    pub sources: Vec<DeclaredSource>,
    /// `[functions]`: how functions run on this machine, by logical id.
    pub functions: BTreeMap<String, LocalFunction>,
    /// `allow_remote`: other machines that may be contacted.
    pub allow_remote: BTreeSet<String>,
    /// `--env-vars`: values of declared variables, by function; `Parameters` is for all functions.
    pub env_vars: BTreeMap<String, BTreeMap<String, String>>,
    /// Languages of which this machine has an interpreter; functions of others are skipped.
    pub languages: BTreeSet<Language>,
}

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcedValue {
    /// The value, as text.
    pub value: String,
    /// The source for messages: `usher.toml line 7`, `--parameter-overrides`.
    pub source: String,
}

/// Settings from the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--config-env`: section of samconfig.toml.
    pub config_env: String,
    /// `--params-from deploy`: also read the parameter overrides of the deploy section.
    pub params_from_deploy: bool,
    /// `--parameter-overrides`, each as written.
    pub parameter_overrides: Vec<String>,
    /// `--env-vars FILE`.
    pub env_vars: Option<PathBuf>,
    /// `--allow-remote HOST`, each.
    pub allow_remote: Vec<String>,
    /// `--jwks FILE`, or a URL.
    pub jwks: Option<String>,
    /// `--http ADDRESS`.
    pub http: Option<SocketAddr>,
    /// `--sqs-endpoint URL`.
    pub sqs_endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_SQS` of this process, if neither usher.toml nor `--sqs-endpoint` has a URL.
    pub sqs_variable: Option<String>,
    /// `--redis-endpoint URL`.
    pub redis_endpoint: Option<String>,
    /// `--region`, else `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<SourcedValue>,
    /// Languages of which this machine has an interpreter.
    pub languages: BTreeSet<Language>,
}

/// The valid part of a project, and its problems.
#[derive(Debug, Clone, Default)]
pub struct CheckedProject {
    /// The settings that are valid.
    pub project: Project,
    /// Every problem of every source, by file and line.
    pub problems: Vec<Diagnostic>,
    /// Whether every file could be read, so that the template can be checked with these values.
    pub readable: bool,
}

impl Project {
    /// Reads every source of settings for this template.
    ///
    /// # Errors
    /// Every problem of every source, by file and line.
    pub fn load(template: &Path, arguments: &Arguments) -> Result<Self, Vec<Diagnostic>> {
        let CheckedProject {
            project, problems, ..
        } = Self::check(template, arguments);
        if problems.is_empty() {
            Ok(project)
        } else {
            Err(problems)
        }
    }

    /// As [`Project::load`], but returns the valid settings beside the problems, so that one run
    /// can report the template's problems as well.
    pub fn check(template: &Path, arguments: &Arguments) -> CheckedProject {
        let folder = template.parent().unwrap_or(Path::new(""));
        let mut project = Self {
            languages: arguments.languages.clone(),
            ..Self::default()
        };
        let mut wrong = Vec::new();
        let mut readable = true;
        let mut collect = |problems: Problems| {
            readable &= problems.is_readable();
            wrong.extend(problems.finish().err().unwrap_or_default());
        };

        collect(usher_toml::read(&folder.join(SETTINGS), &mut project));
        collect(samconfig::read(
            &folder.join("samconfig.toml"),
            arguments,
            &mut project,
        ));
        collect(overrides::read(
            &arguments.parameter_overrides,
            "--parameter-overrides",
            &mut project.parameters,
        ));
        if let Some(file) = &arguments.env_vars {
            collect(env_vars::read(file, &mut project.env_vars));
        }
        project
            .allow_remote
            .extend(arguments.allow_remote.iter().cloned());
        if let Some(written) = &arguments.jwks {
            project.jwks = Some(KeySource::parse(written, Path::new("")));
        }
        if let Some(address) = arguments.http {
            project.http = BTreeMap::from([(String::new(), address)]);
        }
        let option = |url: &Option<String>, option: &str| {
            url.clone().map(|value| SourcedValue {
                value,
                source: option.to_owned(),
            })
        };
        project.sqs = option(&arguments.sqs_endpoint, "--sqs-endpoint")
            .or(project.sqs)
            .or_else(|| option(&arguments.sqs_variable, SQS_VARIABLE));
        project.redis = option(&arguments.redis_endpoint, "--redis-endpoint").or(project.redis);
        project.region = arguments.region.clone().or(project.region);
        let region = |value: &str, _: &BTreeSet<String>| {
            let valid = is_region(value).then(|| value.to_owned());
            valid.ok_or_else(|| LocationError::Region(value.to_owned()))
        };
        let account = |value: &str, _: &BTreeSet<String>| {
            let valid = is_account(value).then(|| value.to_owned());
            valid.ok_or_else(|| LocationError::Account(value.to_owned()))
        };
        let allowed = &project.allow_remote;
        collect(check_value(project.region.as_mut(), region, allowed));
        collect(check_value(project.account.as_mut(), account, allowed));
        collect(check_value(project.sqs.as_mut(), safety::endpoint, allowed));
        collect(check_value(project.redis.as_mut(), safety::redis, allowed));
        collect(check_keys(&project));
        CheckedProject {
            project,
            problems: wrong,
            readable,
        }
    }

    /// URL of SQS: configured, or that of the embedded queues.
    pub fn sqs_url(&self) -> String {
        let given = self.sqs.as_ref().map(|given| given.value.clone());
        given.unwrap_or_else(|| self.embedded_queues.url())
    }

    /// Region and account, configured or by default.
    pub fn location(&self) -> Location {
        let mut location = Location::default();
        if let Some(region) = &self.region {
            location.region.clone_from(&region.value);
        }
        if let Some(account) = &self.account {
            location.account.clone_from(&account.value);
        }
        location
    }

    /// Address of each API by logical id: its own, else the common one with rising ports.
    ///
    /// # Errors
    /// Two APIs have one address, or an address is for an API that does not exist.
    pub fn http_addresses(
        &self,
        application: &Application,
    ) -> Result<BTreeMap<String, SocketAddr>, HttpAddressError> {
        let ids: Vec<&str> = application.apis.iter().map(|api| api.id.as_str()).collect();
        let mut named = self.http.keys().filter(|id| !id.is_empty());
        if let Some(stranger) = named.find(|id| !ids.contains(&id.as_str())) {
            return Err(HttpAddressError::UnknownApi {
                name: stranger.clone(),
                known: listed(ids.into_iter()),
            });
        }
        let mut common = self.http.get("").copied().unwrap_or(DEFAULT_HTTP);
        let mut addresses = BTreeMap::new();
        for id in ids {
            let own = self.http.get(id).copied();
            let address = own.unwrap_or(common);
            if own.is_none() && common.port() != 0 {
                common.set_port(common.port().wrapping_add(1));
            }
            if address.port() != 0 && addresses.values().any(|taken| *taken == address) {
                return Err(HttpAddressError::SameAddress {
                    address,
                    api: id.to_owned(),
                });
            }
            addresses.insert(id.to_owned(), address);
        }
        Ok(addresses)
    }
}

/// Checks that a URL of keys is on this machine or an allowed host.
fn check_keys(project: &Project) -> Problems {
    let problems = Problems::new(format!("{SETTINGS} or --jwks"));
    if let Some(KeySource::Url(url)) = &project.jwks
        && let Err(wrong) = safety::key_set(url, &project.allow_remote)
    {
        problems.error(0, wrong.to_string());
    }
    problems
}

/// Checks a value by this rule, after all sources: the command line may allow its host.
fn check_value<E: Display>(
    given: Option<&mut SourcedValue>,
    rule: impl Fn(&str, &BTreeSet<String>) -> Result<String, E>,
    allowed: &BTreeSet<String>,
) -> Problems {
    let Some(given) = given else {
        return Problems::new("");
    };
    let problems = Problems::new(given.source.clone());
    match rule(&given.value, allowed) {
        Ok(url) => given.value = url,
        Err(wrong) => problems.error(0, wrong.to_string()),
    }
    problems
}

/// The root of a TOML file. `None`: there is no such file, or it cannot be read (reported).
fn read_toml(file: &Path, problems: &Problems) -> Option<Node> {
    match std::fs::read_to_string(file) {
        Ok(text) => Some(parse_toml(&text, problems)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            problems.unreadable(0, format!("cannot be read: {error}."));
            None
        }
    }
}

//! What a template cannot say of one's own machine.
//!
//! Sources, later ones winning: `usher.toml` beside the template ([`settings`]), the sections of `samconfig.toml` meant
//! for this host ([`samconfig`]), for the region `AWS_DEFAULT_REGION` and `AWS_REGION`, the command line ([`overrides`],
//! [`env_vars`]). They meet in one [`Project`], which
//! the template room reads while it resolves. [`safety`] keeps a laptop from talking to production by accident.

mod clusters;
mod env_vars;
mod overrides;
mod safety;
mod samconfig;
mod servers;
mod settings;
mod template_file;
mod tuned;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::document::Problems;
use crate::model::location::{is_account, is_region};
use crate::model::{Application, Diagnostic, KeySource, Location};

pub use clusters::{Cluster, Secret};
pub use safety::{broker_list, is_this_machine, remote_hosts};
pub use servers::{LocalServer, local_servers};
pub use template_file::{TEMPLATES, in_folder, template_file};
pub use tuned::{HOST, SettingChange, tuned};

/// Name of the settings file beside the template.
pub const SETTINGS: &str = "usher.toml";

/// Where the first API listens unless told otherwise; each further one takes the next port.
pub const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 18080);

/// Everything said outside the template, merged and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// `stack`: name of the stack; the template's folder otherwise.
    pub stack: Option<String>,
    /// `profile`: cargo profile to build with.
    pub profile: Option<String>,
    /// Region of ARNs and pseudo parameters, and where it was chosen.
    pub region: Option<Given>,
    /// `account`: the same for the account.
    pub account: Option<Given>,
    /// `concurrency`: instances of one function at most, where the template reserves no number.
    pub concurrency: Option<u32>,
    /// `http`, or `[http]` with an address for each API by logical id. The key `""` holds the one for all.
    pub http: BTreeMap<String, SocketAddr>,
    /// `control`: where the host shows itself and is told.
    pub control: Option<SocketAddr>,
    /// `[settings]`: what may be changed while the host runs.
    pub tuned: Vec<SettingChange>,
    /// `jwks`: public keys for JWT authorizers.
    pub jwks: Option<KeySource>,
    /// Template parameters from every source.
    pub parameters: BTreeMap<String, Given>,
    /// `[kafka]`: clusters by mapping (`Function.Event`), by logical id of a mapping, or by MSK ARN.
    pub kafka: BTreeMap<String, Cluster>,
    /// `[secrets]`: copies of secrets of the cloud, by what the template calls them.
    pub secrets: BTreeMap<String, Secret>,
    /// `[endpoints] sqs`: where SQS answers, and who says so.
    pub sqs: Option<Given>,
    /// `[endpoints] redis`: where the Redis answers whose streams have dead letters, and who says so.
    pub redis: Option<Given>,
    /// `[resolve]`: values of dynamic references, by what stands after `resolve:`.
    pub resolve: BTreeMap<String, String>,
    /// `[schedules]`: expressions to use instead of the template's, by schedule; seconds are allowed here only.
    pub schedules: BTreeMap<String, String>,
    /// `allow_remote`: hosts outside this machine that may be talked to.
    pub allow_remote: BTreeSet<String>,
    /// `--env-vars`: values for variables that functions declare, by function; `Parameters` holds those for all.
    pub env_vars: BTreeMap<String, BTreeMap<String, String>>,
}

/// A value, and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The value, as text.
    pub value: String,
    /// For messages: `usher.toml line 7`, `--parameter-overrides`.
    pub source: String,
}

/// What the command line says of the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--config-env`: section of samconfig.toml.
    pub config_env: String,
    /// `--params-from deploy`: also take the parameter overrides of the deploy section.
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
    /// `--redis-endpoint URL`.
    pub redis_endpoint: Option<String>,
    /// `--region`, else `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<Given>,
}

/// A project as far as it could be read, and everything that is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// What was sound.
    pub project: Project,
    /// Every problem of every source, by file and line.
    pub problems: Vec<Diagnostic>,
    /// Every source could be read, if not used: what the template says with these values is worth a look.
    pub readable: bool,
}

impl Project {
    /// Reads everything that belongs to the template in this file.
    ///
    /// # Errors
    /// Every problem of every source, by file and line.
    pub fn load(template: &Path, arguments: &Arguments) -> Result<Self, Vec<Diagnostic>> {
        let Examined {
            project, problems, ..
        } = Self::examine(template, arguments);
        if problems.is_empty() {
            Ok(project)
        } else {
            Err(problems)
        }
    }

    /// As [`Project::load`], but keeps what is sound beside what is wrong, so that one run can name the problems of other
    /// places as well.
    pub fn examine(template: &Path, arguments: &Arguments) -> Examined {
        let folder = template.parent().unwrap_or(Path::new(""));
        let mut project = Self::default();
        let mut wrong = Vec::new();
        let mut readable = true;
        let mut collect = |problems: Problems| {
            readable &= problems.is_readable();
            wrong.extend(problems.finish().err().unwrap_or_default());
        };

        collect(settings::read(&folder.join(SETTINGS), &mut project));
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
            project.jwks = Some(KeySource::written(written, Path::new("")));
        }
        if let Some(address) = arguments.http {
            project.http = BTreeMap::from([(String::new(), address)]);
        }
        if let Some(url) = &arguments.sqs_endpoint {
            project.sqs = Some(Given {
                value: url.clone(),
                source: "--sqs-endpoint".to_owned(),
            });
        }
        if let Some(url) = &arguments.redis_endpoint {
            project.redis = Some(Given {
                value: url.clone(),
                source: "--redis-endpoint".to_owned(),
            });
        }
        if let Some(region) = &arguments.region {
            project.region = Some(region.clone());
        }
        let form = |is: fn(&str) -> bool, what: &'static str| {
            move |value: &str, _: &BTreeSet<String>| {
                if is(value) {
                    Ok(value.to_owned())
                } else {
                    Err(format!("'{value}' is no {what}."))
                }
            }
        };
        collect(check(
            project.region.as_mut(),
            form(is_region, "region. Write for example eu-central-1"),
            &project.allow_remote,
        ));
        collect(check(
            project.account.as_mut(),
            form(is_account, "account. Write twelve digits"),
            &project.allow_remote,
        ));
        collect(check(
            project.sqs.as_mut(),
            safety::endpoint,
            &project.allow_remote,
        ));
        collect(check(
            project.redis.as_mut(),
            safety::redis,
            &project.allow_remote,
        ));
        collect(check_keys(&project));
        Examined {
            project,
            problems: wrong,
            readable,
        }
    }

    /// Region and account, chosen or by default.
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

    /// Where each API listens, by logical id: its own address, else the common one with the ports counted up.
    ///
    /// # Errors
    /// Two APIs on one address, or an address for an API that does not exist.
    pub fn http_addresses(
        &self,
        application: &Application,
    ) -> Result<BTreeMap<String, SocketAddr>, String> {
        let ids: Vec<&str> = application.apis.iter().map(|api| api.id.as_str()).collect();
        if let Some(stranger) = self
            .http
            .keys()
            .find(|id| !id.is_empty() && !ids.contains(&id.as_str()))
        {
            let known = if ids.is_empty() {
                "none".to_owned()
            } else {
                ids.join(", ")
            };
            return Err(format!(
                "{SETTINGS} [http] names {stranger}, which is not an API of the template. The APIs are: {known}."
            ));
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
                return Err(format!(
                    "two APIs would listen on {address}. Give {id} an address of its own in {SETTINGS}: [http] {id} = \"127.0.0.1:PORT\"."
                ));
            }
            addresses.insert(id.to_owned(), address);
        }
        Ok(addresses)
    }
}

/// Keys by URL come from this machine or an allowed host.
fn check_keys(project: &Project) -> Problems {
    let mut problems = Problems::new(format!("{SETTINGS} or --jwks"));
    if let Some(KeySource::Url(url)) = &project.jwks
        && let Err(wrong) = safety::key_set(url, &project.allow_remote)
    {
        problems.error(0, wrong);
    }
    problems
}

/// Judges an address by this rule, last of all: a host may be allowed on the command line.
fn check(
    given: Option<&mut Given>,
    rule: impl Fn(&str, &BTreeSet<String>) -> Result<String, String>,
    allowed: &BTreeSet<String>,
) -> Problems {
    let Some(given) = given else {
        return Problems::new("");
    };
    let mut problems = Problems::new(given.source.clone());
    match rule(&given.value, allowed) {
        Ok(url) => given.value = url,
        Err(wrong) => problems.error(0, wrong),
    }
    problems
}

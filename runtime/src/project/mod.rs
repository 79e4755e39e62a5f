//! What a template cannot say of one's own machine.
//!
//! Sources, later ones winning: `usher.toml` beside the template, the sections of `samconfig.toml` meant for this host,
//! the command line. They meet in one [`Project`], which the template room reads while it resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where an API listens unless told otherwise.
pub const DEFAULT_HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 18080);

/// Instances of one function at most, unless the template reserves a number.
pub const DEFAULT_CONCURRENCY: u32 = 8;

/// Everything said outside the template, merged and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// `stack`: name of the stack; the template's folder otherwise.
    pub stack: Option<String>,
    /// `profile`: cargo profile to build with.
    pub profile: Option<String>,
    /// `concurrency`: instances of one function at most, where the template reserves no number.
    pub concurrency: Option<u32>,
    /// `[http]`: address of each API by logical id.
    pub http: BTreeMap<String, SocketAddr>,
    /// `jwks`: file of public keys for JWT authorizers.
    pub jwks: Option<PathBuf>,
    /// Template parameters from every source.
    pub parameters: BTreeMap<String, String>,
    /// `[kafka]`: bootstrap servers by mapping (`Function.Event`), by logical id of a mapping, or by MSK ARN.
    pub kafka: BTreeMap<String, String>,
    /// `[resolve]`: values of dynamic references (`{{resolve:...}}`, written without the braces) and secret ARNs.
    pub resolve: BTreeMap<String, String>,
    /// `[schedules]`: expressions to use instead of the template's, by schedule; seconds are allowed here only.
    pub schedules: BTreeMap<String, String>,
    /// `allow_remote`: hosts outside this machine that may be talked to.
    pub allow_remote: BTreeSet<String>,
    /// `--env-vars`: values for variables that functions declare, by function; `Parameters` holds those for all.
    pub env_vars: BTreeMap<String, BTreeMap<String, String>>,
}

//! Arguments, and the servers that they name.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use shared::access::{Access, AccessSettings, Needed};
use shared::config::Reader;
use shared::gate::Gate;
use shared::message::{OrderNumber, ProgramId};
use shared::store::Store;

use crate::plan::{Servers, Target};
use crate::report::{self, Request};

/// Time limit of one call to Redis.
const GATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Repairs what ticket-audit found in Redis, by `PostgreSQL`. A dry run without --apply.
///
/// The servers are those of the functions, in the same variables: `ENV_PREFIX`, `DATABASE_URL`,
/// `REDIS_GATE_URL`, their logins and `TLS_CA_FILE` (docs/reference/settings.md).
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Cli {
    /// The result of `ticket-audit --json`; - reads standard input.
    report: Option<PathBuf>,
    /// An order to compare with its row. May be repeated.
    #[arg(long = "order", value_name = "NUMBER")]
    orders: Vec<OrderNumber>,
    /// A program whose whole seat map is compared. May be repeated.
    #[arg(long = "program", value_name = "ID")]
    programs: Vec<ProgramId>,
    /// Repair. Without it nothing is changed.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Environment prefix.
    #[arg(long, env = "ENV_PREFIX")]
    env: String,
    /// `PostgreSQL`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// The gate's Redis.
    #[arg(long, env = "REDIS_GATE_URL", hide_env_values = true)]
    redis_url: String,
}

impl Cli {
    /// What is to be compared.
    pub(crate) fn request(&self) -> Result<Request> {
        let mut request = match &self.report {
            Some(file) => report::request(&text(file)?, &self.env)?,
            None => Request::default(),
        };
        let orders = self.orders.iter().map(|order| Target::Order(*order));
        let programs = self.programs.iter().map(|id| Target::Program(*id));
        request.targets.extend(orders.chain(programs));
        let is_empty = request.targets.is_empty() && request.refused.is_empty();
        if is_empty && self.report.is_none() {
            bail!("nothing to compare: name a report of ticket-audit --json, --order or --program");
        }
        let unique: BTreeSet<Target> = request.targets.into_iter().collect();
        Ok(Request {
            targets: unique.into_iter().collect(),
            ..request
        })
    }

    /// The servers, with the logins and certificates of the functions.
    pub(crate) async fn open(&self) -> Result<Servers> {
        let own = [
            ("ENV_PREFIX", &self.env),
            ("DATABASE_URL", &self.database_url),
            ("REDIS_GATE_URL", &self.redis_url),
        ];
        let variables = std::env::vars_os();
        let variables = variables.chain(own.map(|(name, value)| (name.into(), value.into())));
        let reader = Reader::new(variables);
        let (names, database, redis, access) = reader.finish(|| {
            let (database, redis) = (reader.postgres("DATABASE"), reader.redis("REDIS_GATE"));
            let needed = Needed {
                logins: vec![database.login.clone(), redis.login.clone()],
                ..Needed::default()
            };
            let access = AccessSettings::read(&reader, needed);
            (reader.names(), database, redis, access)
        })?;
        let access = Access::open(&access).await?;
        let gate = Gate::over(access.gate(&redis, GATE_TIMEOUT)?, names.clone());
        gate.ping()
            .await
            .context("the gate's Redis does not answer")?;
        let store = Store::open(&access.database(&database)?, &names, 1)?;
        Ok(Servers { gate, store })
    }
}

fn text(file: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.with_context(|| format!("the report {} cannot be read", file.display()))?;
    ensure!(
        !text.trim().is_empty(),
        "the report {} is empty",
        file.display()
    );
    Ok(text)
}

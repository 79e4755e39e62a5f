//! The environment of one run: sale, tokens, audit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use ticket_rush::api::{ApiClient, Buyer};
use ticket_rush::client_log::ClientLog;
use ticket_rush::host::{Environment, free_address};
use ticket_rush::keys::Keys;
use ticket_rush::locks::{DataFolderLock, EnvironmentLock, host_of};
use ticket_rush::moving_address::MovingAddress;
use ticket_rush::prepare::prepare;
use ticket_rush::provider::RefundProvider;
use ticket_rush::remove::remove;
use ticket_rush::rush::{Hall, Rush, Tally};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::upgrade;
use super::{DELIVERY, PAY_WINDOW};
use crate::{DemoOptions, Faults, output};

/// Key of the payment provider, as in usher.toml.
pub(crate) const WEBHOOK_SECRET: &str = "for-this-machine-only";
/// Key of the provider's refunds.
const REFUND_SECRET: &str = "of-refunds-in-the-demo-only";
/// Maximum number of requests in flight: no more than the concurrency of payments, the smallest one
/// that buyers use, so that the host refuses none.
const MAX_IN_FLIGHT: usize = 24;
/// Lifetime of tokens, longer than the demo.
const TOKEN_LIFETIME: Duration = Duration::from_mins(30);
/// Ticket limit of one buyer.
const USER_LIMIT: u32 = 6;

/// Environment of one run.
pub(crate) struct DemoEnvironment {
    pub environment: Environment,
    /// The same, on the version on which the sale begins.
    pub first: Environment,
    pub folder: PathBuf,
    keys: Keys,
    pub api: ApiClient,
    /// Takes refunds. `None` where the sale begins on an earlier version, which sends none.
    pub provider: Option<RefundProvider>,
    /// The address of a database that fails over.
    pub database: Option<MovingAddress>,
    /// Held until the audit has ended.
    _locks: (DataFolderLock, EnvironmentLock),
}

impl DemoEnvironment {
    /// Creates an environment, ready for `usher up`.
    pub(crate) async fn prepare(options: &DemoOptions) -> Result<Self> {
        let mut environment = crate::environment("demo")?;
        let database = match options.faults {
            Some(Faults::Failover) => Some(MovingAddress::before(&mut environment.servers).await?),
            _ => None,
        };
        // First, since the following removes earlier environments from the servers.
        let checkout = DataFolderLock::claim(&environment.checkout.data())?;
        let owned = claim(&mut environment).await?;
        let runs = environment.checkout.server_data().join("demo");
        let folder = runs.join(&environment.prefix);
        remove_earlier(&environment, &runs).await?;
        environment.log = folder.join("usher.log");
        // A state folder per run: its lock shows whether the host of the environment runs.
        environment.state = folder.join("state");
        let parameters = [
            ("PayWindowSeconds", PAY_WINDOW.as_secs().into()),
            ("MinPayWindowSeconds", 10),
            ("PublishWindowMs", 8000),
            ("DeliveryTimeoutMs", DELIVERY.as_millis()),
            ("SweepEverySeconds", 2),
            ("LeaseMs", 5000),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_string()));
        environment.parameters = parameters.to_vec();
        let client_log = ClientLog::create(&folder)?;
        let provider = match &options.from {
            Some(_) => None,
            None => Some(RefundProvider::start(REFUND_SECRET, client_log.clone()).await?),
        };
        if let Some(provider) = &provider {
            environment.parameters.extend([
                (
                    "RefundUrl".to_owned(),
                    RefundProvider::url_at(provider.port()),
                ),
                ("RefundSecret".to_owned(), REFUND_SECRET.to_owned()),
                ("RefundTimeoutMs".to_owned(), "2000".to_owned()),
            ]);
        }
        output::title(&format!("Environment \"{}\"", environment.prefix));
        let mut first = match &options.from {
            Some(from) => upgrade::earlier(&environment, from)?,
            None => environment.clone(),
        };
        let keys = prepare(&first, output::done).await?;
        // As late as possible: nothing reserves the ports until the host listens.
        first.http = free_address(environment.http)?;
        first.control = free_address(environment.control)?;
        let base = format!("http://{}", first.http);
        Ok(Self {
            api: ApiClient::new(&base, WEBHOOK_SECRET, client_log)?,
            environment,
            first,
            folder,
            keys,
            provider,
            database,
            _locks: (checkout, owned),
        })
    }

    /// Opens the sale, in which buyers arrive within `span`.
    pub(crate) async fn open_sale(&self, hall: Hall, span: Duration) -> Result<Rush> {
        output::title("The sale opens");
        let seller = self.user("seller", Some("programs:write"))?;
        let program = hall.program(PAY_WINDOW, USER_LIMIT);
        let answer = self.api.create_program(&seller, &program).await;
        let Some(program) = answer.text("id") else {
            bail!("cannot open the sale: {} {}", answer.http, answer.body);
        };
        let (seats, seconds) = (hall.seats(), PAY_WINDOW.as_secs());
        output::done(&format!(
            "program {program}: {seats} seats, {USER_LIMIT} tickets a buyer, {seconds} s to pay"
        ));
        Ok(Rush {
            api: self.api.clone(),
            program: program.to_owned(),
            tally: Tally::default(),
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            give_up_at: Instant::now() + span + Duration::from_secs(30),
            timed_out_after: PAY_WINDOW + Duration::from_secs(4),
        })
    }

    /// A user with a token. Buyers need no scope.
    pub(crate) fn user(&self, user: &str, scope: Option<&str>) -> Result<Buyer> {
        self.keys.buyer(user, scope, TOKEN_LIFETIME)
    }

    /// The command of the audit; fails if the program is missing.
    pub(crate) async fn audit(&self) -> Result<Command> {
        let mut audit = self.environment.audit(&self.folder).await?;
        audit.arg("--final");
        Ok(audit)
    }
}

/// Names the environment by the current second, or by a later one if another run on these servers
/// has that name.
async fn claim(environment: &mut Environment) -> Result<EnvironmentLock> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for second in now..now + 10 {
        environment.prefix = format!("demo-{second}");
        let owned = EnvironmentLock::claim(&environment.servers, &environment.prefix).await?;
        if let Some(owned) = owned {
            return Ok(owned);
        }
    }
    bail!("ten runs started on these servers in this second; try again")
}

/// Removes the environments of earlier runs from the servers, except those whose host still runs.
/// Their logs remain. Thus the last run can be inspected until the next one starts.
async fn remove_earlier(environment: &Environment, runs: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(runs) else {
        return Ok(());
    };
    for entry in entries {
        let folder = entry?.path();
        let forgotten = folder.join("forgotten");
        let name = folder.file_name().and_then(|name| name.to_str());
        let Some(prefix) = name.filter(|name| name.starts_with("demo-")) else {
            continue;
        };
        if forgotten.exists() {
            continue;
        }
        if let Some(process) = host_of(&folder.join("state"))? {
            output::line(&format!(
                "environment {prefix} is not removed: its host still runs (process {process})"
            ));
            continue;
        }
        remove(&environment.servers, prefix).await?;
        fs::write(&forgotten, "").context("cannot write the folder of an earlier run")?;
    }
    Ok(())
}

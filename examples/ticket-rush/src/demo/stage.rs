//! Where the demo plays: an environment of its own for every run, the sale, the tokens, the audit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use ticket_rush::checkout::{Checkout, Owned, host_of};
use ticket_rush::host::{Environment, free_address};
use ticket_rush::journal::Journal;
use ticket_rush::keys::Keys;
use ticket_rush::prepare::prepare;
use ticket_rush::remove::remove;
use ticket_rush::shop::{Buyer, Shop};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::buyer::Rush;
use super::plan::Hall;
use super::tally::Tally;
use crate::say;

/// Shared with the payment provider; as in usher.toml.
pub(crate) const WEBHOOK_SECRET: &str = "for-this-machine-only";
/// Requests in flight at most: fewer than storefront has processes, so that the host refuses none.
const LINE: usize = 24;
/// Tokens outlive the demo.
const TOKEN: Duration = Duration::from_mins(30);

/// Everything around the rush.
pub(crate) struct Stage {
    pub environment: Environment,
    pub folder: PathBuf,
    keys: Keys,
    shop: Shop,
    /// Held until the audit is over.
    _claimed: (Checkout, Owned),
}

impl Stage {
    /// A fresh environment, ready for `usher up`.
    pub(crate) async fn set(delivery: Duration) -> Result<Self> {
        let mut environment = crate::environment("demo")?;
        // before anything else: what follows takes earlier environments off the servers
        let checkout = Checkout::claim(&environment.place.data())?;
        let owned = claim(&mut environment).await?;
        let runs = environment.place.data().join("demo");
        let folder = runs.join(&environment.prefix);
        forget_earlier(&environment, &runs).await?;
        environment.log = folder.join("usher.log");
        // of this run alone: its lock says whether the environment's host lives
        environment.state = folder.join("state");
        let parameters = [
            ("PayWindowSeconds", 20),
            ("MinPayWindowSeconds", 10),
            ("PublishWindowMs", 8000),
            ("DeliveryTimeoutMs", delivery.as_millis()),
            ("SweepEverySeconds", 2),
            ("LeaseMs", 5000),
        ];
        environment.parameters = parameters
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .to_vec();
        let journal = Journal::create(&folder)?;
        say::title(&format!("Environment \"{}\"", environment.prefix));
        let keys = prepare(&environment, say::done).await?;
        // as late as can be: nothing holds them until the host listens
        environment.http = free_address(environment.http)?;
        environment.control = free_address(environment.control)?;
        let shop = Shop::new(
            &format!("http://{}", environment.http),
            WEBHOOK_SECRET,
            journal,
        )?;
        Ok(Self {
            environment,
            folder,
            keys,
            shop,
            _claimed: (checkout, owned),
        })
    }

    /// Opens the sale; also gives a buyer who comes at a bad moment.
    pub(crate) async fn open(
        &self,
        hall: Hall,
        pay_window: Duration,
        limit: u32,
        span: Duration,
    ) -> Result<(Rush, Buyer)> {
        say::title("The sale opens");
        let seller = self.officer("seller", "programs:write")?;
        let answer = self
            .shop
            .open(&seller, &hall.program(pay_window, limit))
            .await;
        let Some(program) = answer.text("id") else {
            bail!(
                "the sale could not be opened: {} {}",
                answer.http,
                answer.body
            );
        };
        say::done(&format!(
            "program {program}: {} seats, {limit} tickets a buyer, {} s to pay",
            hall.seats(),
            pay_window.as_secs()
        ));
        let rush = Rush {
            shop: self.shop.clone(),
            program: program.to_owned(),
            tally: Tally::default(),
            line: Arc::new(Semaphore::new(LINE)),
            patience: Instant::now() + span + Duration::from_secs(30),
            timed_out_after: pay_window + Duration::from_secs(4),
        };
        Ok((rush, self.buyer("probe")?))
    }

    /// A buyer with a token.
    pub(crate) fn buyer(&self, user: &str) -> Result<Buyer> {
        Ok(Buyer {
            user: user.to_owned(),
            token: self.keys.token(user, None, TOKEN)?,
        })
    }

    /// Somebody whose token allows more.
    pub(crate) fn officer(&self, user: &str, scope: &str) -> Result<Buyer> {
        Ok(Buyer {
            user: user.to_owned(),
            token: self.keys.token(user, Some(scope), TOKEN)?,
        })
    }

    /// The audit of this run, to be spawned.
    pub(crate) fn audit(&self) -> Result<Command> {
        self.environment.place.program("audit")?;
        Ok(self.audit_again())
    }

    /// The same once it is known to exist.
    pub(crate) fn audit_again(&self) -> Command {
        let environment = &self.environment;
        let mut audit = Command::new(environment.place.programs.join("audit"));
        audit.args([
            "--final",
            "--env",
            &environment.prefix,
            "--database-url",
            &environment.servers.database_url,
        ]);
        audit
            .args(["--redis-url", &environment.servers.redis_url, "--logs"])
            .arg(&self.folder);
        audit
    }
}

/// Names the environment by the time, and by a later second where a run of another checkout has that name on these servers.
async fn claim(environment: &mut Environment) -> Result<Owned> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for second in now..now + 10 {
        environment.prefix = format!("demo-{second}");
        if let Some(owned) = Owned::claim(&environment.servers, &environment.prefix).await? {
            return Ok(owned);
        }
    }
    bail!("ten runs began on these servers in this second; try again")
}

/// Takes earlier runs off the servers; their logs stay. The last run can so be looked at until the next one begins. One whose host
/// lives is left alone.
async fn forget_earlier(environment: &Environment, runs: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(runs) else {
        return Ok(());
    };
    for entry in entries {
        let folder = entry?.path();
        let forgotten = folder.join("forgotten");
        if let Some(prefix) = folder
            .file_name()
            .and_then(|n| n.to_str())
            .filter(|n| n.starts_with("demo-") && !forgotten.exists())
        {
            if let Some(process) = host_of(&folder.join("state"))? {
                say::line(&format!(
                    "environment {prefix} is left alone: its host still runs (process {process})"
                ));
                continue;
            }
            remove(&environment.servers, prefix).await?;
            fs::write(&forgotten, "").context("an earlier run's folder cannot be written")?;
        }
    }
    Ok(())
}

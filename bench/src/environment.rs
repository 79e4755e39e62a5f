//! The environment of a measurement.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use ticket_rush::api::{ApiClient, Buyer};
use ticket_rush::client_log::ClientLog;
use ticket_rush::host::{Environment, free_address};
use ticket_rush::keys::Keys;
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::prepare::prepare;
use ticket_rush::remove::remove;

use crate::leftovers::{self, Leftover};

const TOKEN: Duration = Duration::from_hours(1);

/// The sweep runs as often as in the template. The 5 s of usher.toml would take about as much of
/// Redis as the orders do: a sweep compares every chunk of a hall.
const PARAMETERS: [(&str, &str); 2] = [("LogLevel", "warn"), ("SweepEverySeconds", "60")];

/// Names of keys, topic and tables, and connections to read them.
pub(crate) struct BenchEnvironment {
    pub environment: Environment,
    pub api: ApiClient,
    pub db: PgPool,
    keys: Keys,
    /// Folder of the run's files.
    pub folder: PathBuf,
}

impl BenchEnvironment {
    pub(crate) async fn set(name: &str) -> Result<Self> {
        let checkout = Checkout::find()?;
        let prefix = format!("bench-{name}-{:06x}", rand::random::<u32>() >> 8);
        let folder = checkout.data().join("bench").join(&prefix);
        let client_log = ClientLog::create(&folder)?;
        let environment = Environment {
            keys: checkout.data().join("keys"),
            http: free_address(([127, 0, 0, 1], 0).into())?,
            control: free_address(([127, 0, 0, 1], 0).into())?,
            parameters: PARAMETERS
                .map(|(name, value)| (name, value.to_owned()))
                .into_iter()
                .chain([(
                    "ApiFilesFolder",
                    folder.join("api-calls").display().to_string(),
                )])
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            schedules: true,
            log: folder.join("usher.log"),
            state: folder.join("state"),
            servers: Servers::from_env(),
            prefix,
            checkout,
            template: None,
        };
        leftovers::note(Leftover::Environment(environment.prefix.clone()));
        let keys = prepare(&environment, |_| ()).await?;
        let db = Self::database(&environment)?;
        let api = ApiClient::new(
            &format!("http://{}", environment.http),
            "for-this-machine-only",
            client_log,
        )?;
        Ok(Self {
            environment,
            api,
            db,
            keys,
            folder,
        })
    }

    fn database(environment: &Environment) -> Result<PgPool> {
        let options: PgConnectOptions = environment.servers.database_url.parse()?;
        let options = options.options([("search_path", environment.prefix.replace('-', "_"))]);
        Ok(PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy_with(options))
    }

    /// The sweep runs at the start only. Its cost depends on the seats and the programs; in one of
    /// two windows that are compared it would count as a cost of the orders.
    pub(crate) fn without_sweeps(mut self) -> Self {
        for (name, value) in &mut self.environment.parameters {
            if name == "SweepEverySeconds" {
                "86400".clone_into(value);
            }
        }
        self
    }

    /// A buyer with a token.
    pub(crate) fn buyer(&self, user: &str) -> Result<Buyer> {
        self.keys.buyer(user, None, TOKEN)
    }

    /// Opens a program of `rows` rows of 500 seats.
    pub(crate) async fn program(&self, rows: u32) -> Result<String> {
        let scope = Some("programs:write");
        let seller = self.keys.buyer("seller", scope, TOKEN)?;
        let category =
            json!({ "name": "All", "rows": rows, "seats_per_row": 500, "price_cents": 1000 });
        let program = json!({ "title": "Bench", "categories": [category],
            "pay_window_seconds": 3600, "user_limit": 1000 });
        let answer = self.api.create_program(&seller, &program).await;
        Ok(answer
            .text("id")
            .with_context(|| format!("opening a sale answered {} {}", answer.http, answer.body))?
            .to_owned())
    }

    /// Deletes everything of this environment from the servers. Keeps the log if something failed.
    pub(crate) async fn strike(self) -> Result<()> {
        self.db.close().await;
        remove(&self.environment.servers, &self.environment.prefix).await?;
        fs::remove_dir_all(&self.folder).context("the run's folder cannot be removed")
    }
}

//! The environment of one journey.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tempfile::TempDir;
use ticket_rush::api::{ApiClient, Buyer, PlacedOrder, SeatSelection};
use ticket_rush::application::{self, ManagedFunction};
use ticket_rush::client_log::ClientLog;
use ticket_rush::host::{Environment, Host, free_address};
use ticket_rush::keys::Keys;
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::prepare::{orders_topic, prepare};
use ticket_rush::remove::remove;

use crate::until;

/// Key of the payment provider, as in usher.toml.
const WEBHOOK_SECRET: &str = "for-this-machine-only";
const TOKEN: Duration = Duration::from_mins(10);

/// Settings of a journey.
#[derive(Debug, Default)]
pub struct Settings {
    /// Template parameters, in addition to those that shorten every journey.
    pub parameters: Vec<(&'static str, String)>,
    /// Servers, if not the shared ones.
    pub servers: Option<Servers>,
    /// Brokers, if not those of the servers.
    pub brokers: Option<String>,
    /// Functions of which a process handles several invocations at a time, all others one. `None`:
    /// as in usher.toml.
    pub managed: Option<Vec<ManagedFunction>>,
    /// Variables of every function, in addition to those of the template. Not together with
    /// `managed`, or with servers that require a login.
    pub variables: Vec<(&'static str, String)>,
}

/// An environment with keys, topics and tables, for `usher` to run in.
#[derive(Debug)]
pub struct TestEnvironment {
    /// Folder of its files.
    pub folder: TempDir,
    /// Environment that `usher` is started with.
    pub environment: Environment,
    /// Signs tokens.
    pub keys: Keys,
    /// The API as clients use it.
    pub api: ApiClient,
    /// Postgres, in the environment's schema.
    pub db: PgPool,
}

impl TestEnvironment {
    /// Ready for `up`.
    pub async fn new() -> Result<Self> {
        Self::with(Settings::default()).await
    }

    /// Ready for `up`, with settings of its own.
    pub async fn with(settings: Settings) -> Result<Self> {
        let env = Self::bare(settings)?;
        prepare(&env.environment, |_| ()).await?;
        Ok(env)
    }

    /// Without topics and tables.
    pub fn bare(settings: Settings) -> Result<Self> {
        let checkout = Checkout::find()?;
        let folder = TempDir::new()?;
        let prefix = testkit::prefix();
        let quick = [
            ("MinPayWindowSeconds", 1),
            ("PublishWindowMs", 3000),
            ("DeliveryTimeoutMs", 1500),
            ("SweepEverySeconds", 1),
            ("LeaseMs", 2000),
        ];
        let quick = quick.map(|(name, value)| (name, value.to_string()));
        let mut servers = settings.servers.unwrap_or_else(Servers::from_env);
        servers.brokers = settings.brokers.unwrap_or(servers.brokers);
        let template = match &settings.managed {
            Some(managed) => Some(application::write(&checkout, folder.path(), managed)?),
            None if settings.variables.is_empty() => {
                application::with_logins(&checkout, folder.path(), &servers)?
            }
            None => {
                let variables = &settings.variables;
                let file = application::with_variables(&checkout, folder.path(), variables)?;
                Some(file)
            }
        };
        let calls = folder.path().join("api-calls");
        let environment = Environment {
            keys: folder.path().join("keys"),
            http: free_address(([127, 0, 0, 1], 0).into())?,
            control: free_address(([127, 0, 0, 1], 0).into())?,
            parameters: quick
                .into_iter()
                .chain([("ApiFilesFolder", calls.display().to_string())])
                .chain(settings.parameters)
                .map(|(n, v)| (n.to_owned(), v))
                .collect(),
            schedules: true,
            state: folder.path().join("state"),
            log: folder.path().join("usher.log"),
            prefix,
            servers,
            template,
            checkout,
        };
        let options = environment.servers.database()?;
        let db = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options.options([("search_path", &environment.prefix)]));
        let client_log = ClientLog::create(&folder.path().join("log"))?;
        let api = ApiClient::new(
            &format!("http://{}", environment.http),
            WEBHOOK_SECRET,
            client_log,
        )?;
        let keys = Keys::at(&environment.keys)?;
        Ok(Self {
            folder,
            environment,
            keys,
            api,
            db,
        })
    }

    /// Starts `usher up`.
    pub async fn up(&self) -> Result<Host> {
        self.environment.up().await
    }

    /// A buyer with a token.
    pub fn buyer(&self, user: &str) -> Result<Buyer> {
        self.keys.buyer(user, None, TOKEN)
    }

    /// Opens a sale of one category at 1000 cents; returns the program's id.
    pub async fn sale(
        &self,
        rows: u32,
        seats_per_row: u32,
        pay_window: Duration,
        limit: u32,
    ) -> Result<String> {
        let scope = Some("programs:write");
        let seller = self.keys.buyer("seller", scope, TOKEN)?;
        let category = json!({ "name": "All", "rows": rows, "seats_per_row": seats_per_row,
        "price_cents": 1000 });
        let program = json!({
            "title": "Journey", "categories": [category],
            "pay_window_seconds": pay_window.as_secs(), "user_limit": limit,
        });
        let answer = self.api.create_program(&seller, &program).await;
        let id = answer
            .text("id")
            .with_context(|| format!("opening a sale answered {} {}", answer.http, answer.body))?;
        Ok(id.to_owned())
    }

    /// Orders seats; fails unless the order is accepted.
    pub async fn order(
        &self,
        buyer: &Buyer,
        program: &str,
        want: SeatSelection,
        key: &str,
    ) -> Result<PlacedOrder> {
        let answer = self.api.order(buyer, program, 0, &want, Some(key), 0).await;
        answer.order().with_context(|| {
            format!(
                "{want:?} by {} was answered {} {}",
                buyer.user, answer.http, answer.body
            )
        })
    }

    /// Waits until the order has this status.
    pub async fn until_status(&self, buyer: &Buyer, order: &str, status: &str) -> Result<()> {
        until(&format!("order {order} is {status}"), async || {
            let seen = self.api.get_order(buyer, order).await;
            Ok((seen.text("status") == Some(status)).then_some(()))
        })
        .await
    }

    /// Waits until this number of seats is free.
    pub async fn until_free(&self, program: &str, free: u64) -> Result<()> {
        until(
            &format!("{free} seats of program {program} are free"),
            async || {
                let answer = self.api.program(program).await;
                Ok((answer.body["categories"][0]["free"].as_u64() == Some(free)).then_some(()))
            },
        )
        .await
    }

    /// Queries one number in the environment's schema.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        Ok(sqlx::query(sql).fetch_one(&self.db).await?.try_get(0)?)
    }

    /// Publishes a record to the topic of orders.
    pub async fn produce(&self, partition: i32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let mut settings = self.environment.servers.kafka();
        settings.set("message.max.bytes", "2000000");
        let producer: FutureProducer = settings.create()?;
        let topic = orders_topic(&self.environment.prefix);
        let mut record = FutureRecord::to(&topic).partition(partition).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        producer
            .send(record, Duration::from_secs(10))
            .await
            .map_err(|(error, _)| error)?;
        Ok(())
    }

    /// Repeats the audit of this journey's client log until it passes.
    pub async fn audited(&self, arguments: &[&str]) -> Result<()> {
        let mut last = String::new();
        let passed = until("the audit passes", async || {
            let logs = self.folder.path().join("log");
            let mut audit = self.environment.audit(&logs).await?;
            let output = audit.args(arguments).output().await?;
            last = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            Ok(output.status.success().then_some(()))
        })
        .await;
        if passed.is_err() {
            bail!("the audit fails:\n{last}");
        }
        Ok(())
    }

    /// Invokes a function with a sample event; returns exit code and answer.
    pub async fn invoke(&self, function: &str, event: &Path) -> Result<(i32, Value)> {
        let output = self.environment.invoke(function, event, &[]).await?;
        let code = output.status.code().context("usher invoke was killed")?;
        let answer = serde_json::from_slice(&output.stdout);
        let answer = answer.with_context(|| {
            let shown = |bytes| String::from_utf8_lossy(bytes).into_owned();
            format!(
                "{}: {}{}",
                event.display(),
                shown(&output.stdout),
                shown(&output.stderr)
            )
        })?;
        self.record(function, event, code, &answer)?;
        Ok((code, answer))
    }

    /// Appends an answer to the file that `USHER_ANSWERS` names, without the prefix of this
    /// environment: `scripts/package` compares the answers of both architectures.
    fn record(&self, function: &str, event: &Path, code: i32, answer: &Value) -> Result<()> {
        let Some(file) = std::env::var_os("USHER_ANSWERS") else {
            return Ok(());
        };
        let event = event.file_stem().unwrap_or_default().to_string_lossy();
        let line = format!("{function} {event} {code} {answer}\n");
        let line = line.replace(&self.environment.prefix, "{env}");
        let mut file = File::options().create(true).append(true).open(file)?;
        // One write, so that the lines of several tests do not mix.
        file.write_all(line.as_bytes())?;
        Ok(())
    }

    /// Removes the environment from the servers. A failed journey leaves it for inspection.
    pub async fn remove(self) -> Result<()> {
        self.db.close().await;
        remove(&self.environment.servers, &self.environment.prefix).await
    }
}

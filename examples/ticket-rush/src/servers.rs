//! Addresses and logins of the servers, and clients of them.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use sqlx::postgres::PgConnectOptions;

/// Timeout of a sentinel.
const SENTINEL: Duration = Duration::from_secs(1);

/// A user and a password, as they are: without percent-encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
}

/// The servers: from the environment (printed by `scripts/servers env`), else at the defaults of
/// `scripts/servers`.
#[derive(Debug, Clone)]
pub struct Servers {
    /// Redis of the gate. `redis://host:port,host:port?sentinel=NAME` names sentinels and what they
    /// call the gate.
    pub redis_url: String,
    /// Login there, if it is not in the URL.
    pub redis_login: Option<Login>,
    /// Redis of caches and streams.
    pub cache_url: String,
    /// Login there, if it is not in the URL.
    pub cache_login: Option<Login>,
    /// Postgres.
    pub database_url: String,
    /// Login there, if it is not in the URL.
    pub database_login: Option<Login>,
    /// Kafka's bootstrap servers.
    pub brokers: String,
    /// Login there (SCRAM-SHA-512 over TLS). `None`: plaintext.
    pub kafka_login: Option<Login>,
    /// Endpoint of SQS.
    pub sqs_endpoint: String,
    /// The authority of the certificates of `PostgreSQL`, Redis and Kafka: a file of PEM.
    pub authority: Option<PathBuf>,
}

impl Servers {
    /// Reads `REDIS_URL`, `CACHE_URL`, `DATABASE_URL`, `KAFKA_BROKERS` and `SQS_ENDPOINT`, the
    /// logins (`REDIS_USER` and `REDIS_PASSWORD`, also of `CACHE` and `DATABASE`; `KAFKA_USERNAME`
    /// and `KAFKA_PASSWORD`), and `TLS_CA_FILE`. An empty variable counts as missing.
    pub fn from_env() -> Self {
        Self::read(|name| env::var(name).ok())
    }

    /// Reads the same from variables that are not of this process.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let or = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        let login = |server: &str, user: &str| {
            let user = variable(&format!("{server}_{user}"))?;
            let password = variable(&format!("{server}_PASSWORD"))?;
            Some(Login { user, password })
        };
        let database = "postgres://usher:usher@127.0.0.1:15432/usher";
        Self {
            redis_url: or("REDIS_URL", "redis://127.0.0.1:16379"),
            redis_login: login("REDIS", "USER"),
            cache_url: or("CACHE_URL", "redis://127.0.0.1:16380"),
            cache_login: login("CACHE", "USER"),
            database_url: or("DATABASE_URL", database),
            database_login: login("DATABASE", "USER"),
            brokers: or("KAFKA_BROKERS", "127.0.0.1:19092"),
            kafka_login: login("KAFKA", "USERNAME"),
            sqs_endpoint: or("SQS_ENDPOINT", "http://127.0.0.1:19324"),
            authority: variable("TLS_CA_FILE").map(PathBuf::from),
        }
    }

    /// Parameters of the template that say where functions find the servers.
    pub fn addresses(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("DatabaseUrl", self.database_url.clone()),
            ("RedisGateUrl", self.redis_url.clone()),
            ("RedisCacheUrl", self.cache_url.clone()),
            ("KafkaBootstrapServers", self.brokers.clone()),
        ];
        if self.kafka_login.is_some() {
            all.push(("KafkaSecurity", "sasl_ssl".to_owned()));
            // The template demands one. The host reads the login from a file instead.
            let secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:kafka";
            all.push(("KafkaSecretArn", secret.to_owned()));
        }
        if let Some(file) = &self.authority {
            all.push(("TlsCaFile", file.display().to_string()));
        }
        all
    }

    /// Parameters of the template with the logins. They belong in a file: every user of the machine
    /// can read the arguments of a process.
    pub fn logins(&self) -> Vec<(&'static str, &str)> {
        let logins = [
            ("DatabaseUser", "DatabasePassword", &self.database_login),
            ("RedisGateUser", "RedisGatePassword", &self.redis_login),
            ("RedisCacheUser", "RedisCachePassword", &self.cache_login),
            ("KafkaUsername", "KafkaPassword", &self.kafka_login),
        ];
        let mut all = Vec::new();
        for (user, password, login) in logins {
            if let Some(login) = login {
                all.push((user, login.user.as_str()));
                all.push((password, login.password.as_str()));
            }
        }
        all
    }

    /// Options of a connection to Postgres.
    pub fn database(&self) -> Result<PgConnectOptions> {
        let options: PgConnectOptions = self
            .database_url
            .parse()
            .context("DATABASE_URL is no URL of PostgreSQL")?;
        let options = match &self.database_login {
            Some(login) => options.username(&login.user).password(&login.password),
            None => options,
        };
        Ok(match &self.authority {
            Some(file) => options.ssl_root_cert(file),
            None => options,
        })
    }

    /// A client of the gate's primary.
    pub async fn gate(&self) -> Result<Client> {
        let url = self.gate_url().await?;
        self.redis(&url, self.redis_login.as_ref())
    }

    /// The URL of the gate's primary, which sentinels may have to name.
    pub async fn gate_url(&self) -> Result<String> {
        let Some((address, name)) = self.redis_url.split_once("?sentinel=") else {
            return Ok(self.redis_url.clone());
        };
        let sentinels = address.trim_start_matches("redis://");
        let mut failed = None;
        for sentinel in sentinels.split(',') {
            match primary(sentinel, name).await {
                Ok((host, port)) => return Ok(format!("redis://{host}:{port}")),
                Err(error) => failed = Some(error),
            }
        }
        let failed = failed.context("REDIS_URL names no sentinel")?;
        Err(failed).with_context(|| format!("no sentinel names the primary of {name}"))
    }

    /// A client of the Redis of caches and streams.
    pub fn cache(&self) -> Result<Client> {
        self.redis(&self.cache_url, self.cache_login.as_ref())
    }

    fn redis(&self, url: &str, login: Option<&Login>) -> Result<Client> {
        let mut info: ConnectionInfo = url.into_connection_info()?;
        if let Some(login) = login {
            let settings = info.redis_settings().clone();
            let settings = settings.set_username(&login.user);
            info = info.set_redis_settings(settings.set_password(&login.password));
        }
        let Some(file) = self
            .authority
            .as_ref()
            .filter(|_| url.starts_with("rediss:"))
        else {
            return Ok(Client::open(info)?);
        };
        let authority =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(authority),
        };
        Ok(Client::build_with_tls(info, certificates)?)
    }

    /// Settings of a client of Kafka.
    pub fn kafka(&self) -> ClientConfig {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", &self.brokers);
        if let Some(login) = &self.kafka_login {
            settings
                .set("security.protocol", "sasl_ssl")
                .set("sasl.mechanism", "SCRAM-SHA-512")
                .set("sasl.username", &login.user)
                .set("sasl.password", &login.password);
            if let Some(file) = &self.authority {
                settings.set("ssl.ca.location", file.display().to_string());
            }
        }
        settings
    }
}

async fn primary(sentinel: &str, name: &str) -> Result<(String, u16)> {
    let client = Client::open(format!("redis://{sentinel}"))?;
    let answer = async {
        let mut redis = client.get_multiplexed_async_connection().await?;
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(name);
        ask.query_async(&mut redis).await
    };
    let answer: Option<(String, u16)> = tokio::time::timeout(SENTINEL, answer).await??;
    answer.with_context(|| format!("the sentinel at {sentinel} has no {name}"))
}

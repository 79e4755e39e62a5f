//! Settings from the environment. docs/reference/http-api.md and template.yaml document the same
//! variables.

use std::time::Duration;

use kafka_producer::Mechanism;
use shared::access::{AccessSettings, Needed};
use shared::cache::CacheSettings;
use shared::config::{Execution, KeysSetting, LoginSetting, Problems, Reader, Server};
use shared::message::CallInstance;
use shared::naming::Names;
use shared::sale::Windows;
use shared::telemetry::traces::TraceSettings;

use crate::http::{RequestClass, ServedClasses};
use crate::kafka::mechanism;
use crate::limits::LimitSettings;
use crate::waiting_room::settings::RoomSettings;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment's topics, keys and tables.
    pub names: Names,
    /// Classes of requests that this function serves.
    pub classes: ServedClasses,
    /// Redis of the gate.
    pub redis: Server,
    /// Caches of programs, and the stream that announces their changes.
    pub cache: CacheSettings,
    /// Postgres.
    pub database: Server,
    /// Maximum number of connections to Postgres.
    pub connections: u32,
    /// Brokers as `host:port,...`.
    pub brokers: String,
    /// Encryption and authentication towards the brokers.
    pub security: KafkaSecurity,
    /// Full name of the orders' topic.
    pub topic: String,
    /// Windows of delivery, publish and payment.
    pub windows: Windows,
    /// How long orders are gathered for one request to a broker. Zero where the process handles one
    /// request at a time: no other order would share it.
    pub linger: Duration,
    /// Ticket limit of one buyer, for programs that set none.
    pub user_limit: u32,
    /// Maximum difference between this clock and the timestamp of a signed notification.
    pub webhook_tolerance: Duration,
    /// Limits of requests that wait until their order is stored.
    pub waiting: WaitSettings,
    /// Rate limits of buyers and addresses.
    pub limits: LimitSettings,
    /// Waiting rooms of programs.
    pub waiting_room: RoomSettings,
    /// Publishing of API calls.
    pub calls: CallSettings,
    /// Export of spans, if enabled.
    pub traces: Option<TraceSettings>,
    /// Certificates, logins, and keys of the payment provider's signatures.
    pub access: AccessSettings,
}

/// How API calls are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSettings {
    /// Whether they are published.
    pub enabled: bool,
    /// Full name of their topic.
    pub topic: String,
    /// Maximum number of calls that wait for the broker; further calls are dropped.
    pub queue: u32,
    /// How long an answer waits for the delivery of its call. Zero where the process keeps running
    /// between requests.
    pub flush: Duration,
    /// Name of this process in calls: its log stream, as set by Lambda or the host.
    pub instance: Option<CallInstance>,
}

/// Limits of requests that wait until their order is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitSettings {
    /// Maximum number of waiting requests over all instances.
    pub places: u32,
    /// order-create counts as stalled if the partition of an awaited order has made no progress for
    /// this time. No request waits for the same time after that.
    pub stall: Duration,
}

/// Encryption and authentication towards the brokers.
#[derive(Debug, Clone)]
pub enum KafkaSecurity {
    /// No encryption, for brokers on the same machine.
    Plaintext,
    /// TLS, without a login: brokers verify no client, or its certificate.
    Ssl,
    /// TLS, with user name and password.
    SaslSsl {
        /// How the password is proven.
        mechanism: Mechanism,
        /// User name and password.
        login: LoginSetting,
    },
    /// TLS, with tokens of IAM, for MSK.
    Iam,
}

impl KafkaSecurity {
    /// The login, if there is one.
    pub const fn login(&self) -> Option<&LoginSetting> {
        match self {
            Self::SaslSsl { login, .. } => Some(login),
            Self::Plaintext | Self::Ssl | Self::Iam => None,
        }
    }
}

impl Settings {
    /// Reads all of them, or returns every problem.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        reader.finish(|| {
            let names = reader.names();
            let execution = Execution::read(reader);
            let classes = classes(reader);
            let redis = reader.redis("REDIS_GATE");
            let cache = CacheSettings::read(reader);
            let database = reader.postgres("DATABASE");
            let security = security(reader);
            let waiting = waiting(reader);
            let traces = TraceSettings::read(reader, "storefront");
            let servers = [&redis, &cache.streams.redis, &database];
            let logins = servers.into_iter().map(|server| &server.login);
            let needed = Needed {
                logins: logins.chain(security.login()).cloned().collect(),
                keys: webhook_keys(reader, classes),
                texts: traces.iter().filter_map(TraceSettings::secret).collect(),
                kafka_tokens: matches!(security, KafkaSecurity::Iam),
            };
            Self {
                classes,
                redis,
                cache,
                database,
                connections: execution.connections(reader, requests_per_connection(classes)),
                brokers: reader.brokers("KAFKA_BROKERS"),
                security,
                topic: names.topic(&reader.text_or("ORDERS_TOPIC", "order-create")),
                windows: windows(reader),
                linger: linger(reader, execution),
                user_limit: reader.integer_or("USER_LIMIT_DEFAULT", 1..=1000, 6),
                webhook_tolerance: reader.seconds_or("PAYMENT_TOLERANCE_SECONDS", 1..=3600, 300),
                waiting,
                limits: LimitSettings::read(reader, classes),
                waiting_room: RoomSettings::read(reader, waiting.stall),
                calls: calls(reader, &names, execution),
                traces,
                access: AccessSettings::read(reader, needed),
                names,
            }
        })
    }
}

fn classes(reader: &Reader) -> ServedClasses {
    let (allowed, default) = (ServedClasses::ALLOWED, ServedClasses::All);
    reader.parsed_or("REQUEST_CLASS", allowed, default, |text| text.parse().ok())
}

/// Requests of one process that share a connection to Postgres. Most orders and look-ups need none:
/// programs are cached, and orders are reserved and published without it. Payments and operators
/// need one each, and a query of an operator may be slow.
const fn requests_per_connection(classes: ServedClasses) -> u32 {
    match classes {
        ServedClasses::All | ServedClasses::Only(RequestClass::Orders | RequestClass::Lookups) => 4,
        ServedClasses::Only(RequestClass::Payments | RequestClass::Operators) => 1,
    }
}

/// Only the function that verifies notifications needs the keys, and only it is given them.
fn webhook_keys(reader: &Reader, classes: ServedClasses) -> Option<KeysSetting> {
    let verifies = classes.includes(RequestClass::Payments);
    verifies.then(|| reader.keys("PAYMENT_WEBHOOK_SECRET", 16))
}

fn windows(reader: &Reader) -> Windows {
    const VARIABLES: [&str; 3] = [
        "DELIVERY_TIMEOUT_MS",
        "PUBLISH_WINDOW_MS",
        "PAY_WINDOW_SECONDS",
    ];
    let [delivery, publish, pay] = VARIABLES;
    let windows = Windows {
        pay_ms: reader.integer_or(pay, 1..=86_400, 900) * 1000,
        // A setting of order-create; zero contradicts nothing.
        min_pay_ms: 0,
        publish_ms: reader.integer_or(publish, 1_000..=600_000, 30_000),
        delivery_ms: reader.integer_or(delivery, 500..=300_000, 10_000),
    };
    if let Err(e) = windows.checked()
        && reader.accepts(&VARIABLES)
    {
        reader.refuse(
            &VARIABLES.join(", "),
            format_args!("contradict each other: {e}"),
            "delivery timeout < publish window <= pay window",
        );
    }
    windows
}

fn linger(reader: &Reader, execution: Execution) -> Duration {
    let linger = reader.milliseconds_or("ORDER_LINGER_MS", 0..=100, 5);
    if execution.concurrency == 1 {
        return Duration::ZERO;
    }
    linger
}

/// A share of all instances, rounded down: with few instances no request waits.
fn waiting(reader: &Reader) -> WaitSettings {
    let instances = reader.integer_or("STOREFRONT_CONCURRENCY", 0..=1_000_000_u32, 100);
    let percent = reader.integer_or("ORDER_WAIT_PERCENT", 0..=75_u32, 25);
    WaitSettings {
        places: instances * percent / 100,
        stall: reader.milliseconds_or("ORDER_WAIT_STALL_MS", 100..=60_000, 10_000),
    }
}

fn calls(reader: &Reader, names: &Names, execution: Execution) -> CallSettings {
    CallSettings {
        enabled: reader.switch_or("API_CALLS_ENABLED", false),
        topic: names.topic(&reader.text_or("API_CALLS_TOPIC", "api-call")),
        queue: reader.integer_or("API_CALL_QUEUE", 1..=1_000_000, 10_000),
        flush: execution.flush(reader.milliseconds_or("API_CALL_FLUSH_MS", 0..=5_000, 0)),
        instance: reader
            .optional_text("AWS_LAMBDA_LOG_STREAM_NAME")
            .and_then(|name| CallInstance::new(name).ok()),
    }
}

fn security(reader: &Reader) -> KafkaSecurity {
    let (allowed, plaintext) = ("plaintext, ssl, sasl_ssl or iam", KafkaSecurity::Plaintext);
    reader.parsed_or("KAFKA_SECURITY", allowed, plaintext, |text| match text {
        "plaintext" => Some(KafkaSecurity::Plaintext),
        "ssl" => Some(KafkaSecurity::Ssl),
        "sasl_ssl" => Some(KafkaSecurity::SaslSsl {
            mechanism: reader.parsed_or(
                "KAFKA_SASL_MECHANISM",
                "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                Mechanism::ScramSha512,
                mechanism,
            ),
            login: kafka_login(reader),
        }),
        "iam" => Some(KafkaSecurity::Iam),
        _ => None,
    })
}

fn kafka_login(reader: &Reader) -> LoginSetting {
    const SECRET: &str = "KAFKA_SECRET_ARN";
    if let Some(secret) = reader.optional_secret(SECRET) {
        for variable in ["KAFKA_USERNAME", "KAFKA_PASSWORD"] {
            if reader.optional_raw_secret(variable).is_some() {
                reader.refuse(
                    variable,
                    "is given",
                    format_args!("missing, as {SECRET} is given"),
                );
            }
        }
        return LoginSetting::Secret { secret, user: None };
    }
    LoginSetting::Fixed {
        user: Some(reader.text(
            "KAFKA_USERNAME",
            "the name for SASL, as KAFKA_SECURITY is sasl_ssl",
        )),
        password: Some(reader.raw_secret("KAFKA_PASSWORD")),
    }
}

//! What the storefront must be told, from the environment; docs/reference/http-api.md and template.yaml name the same things.

use std::time::Duration;

use shared::cache::CacheSettings;
use shared::config::{Problems, Reader, Secret, Url};
use shared::message::CallInstance;
use shared::naming::Names;
use shared::sale::Windows;
use shared::telemetry::traces::TraceSettings;

use crate::orders::WaitSettings;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The environment's names.
    pub names: Names,
    /// The gate.
    pub redis: Url,
    /// Caches of programs, and where their changes are told.
    pub cache: CacheSettings,
    /// The truth.
    pub database: Url,
    /// Connections to it at most.
    pub connections: u32,
    /// `host:port,...`
    pub brokers: String,
    /// How to talk to the brokers.
    pub security: KafkaSecurity,
    /// Full name of the topic of orders.
    pub topic: String,
    /// How long each party waits.
    pub windows: Windows,
    /// Tickets of one buyer, where a program sets no limit.
    pub user_limit: u32,
    /// Keys of the payment provider's signatures, at least one: the one in use, and the next while keys are changed.
    pub webhook_secrets: Vec<Secret>,
    /// How old, or how far ahead, a signed notification may be.
    pub webhook_tolerance: Duration,
    /// Bounds on requests that wait for their order to be stored.
    pub waiting: WaitSettings,
    /// Calls of the API, and where they go.
    pub calls: CallSettings,
    /// Where spans go, if anywhere.
    pub traces: Option<TraceSettings>,
}

/// How calls of the API are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSettings {
    /// Whether any are sent.
    pub enabled: bool,
    /// Full name of their topic.
    pub topic: String,
    /// Calls waiting for the broker at most; what is more is dropped.
    pub queue: u32,
    /// How long an answer waits for the delivery of its call. Zero: never; right where the process runs on between requests.
    pub flush: Duration,
    /// What calls name this process: the log stream that Lambda, or its host, gives it.
    pub instance: Option<CallInstance>,
}

/// How to talk to the brokers.
#[derive(Debug, Clone)]
pub enum KafkaSecurity {
    /// No encryption: brokers on the same machine.
    Plaintext,
    /// TLS, and a name with a password.
    SaslSsl {
        /// `SCRAM-SHA-512` or `SCRAM-SHA-256`.
        mechanism: String,
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
}

impl Settings {
    /// Reads all of them, or says everything that is wrong.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let names = reader.names();
        let redis = reader.redis_url("REDIS_GATE_URL");
        let cache = CacheSettings::read(reader);
        let database = reader.postgres_url("DATABASE_URL");
        let connections = reader.integer_or("DB_CONNECTIONS", 1..=100, 2);
        let brokers = reader.brokers("KAFKA_BROKERS");
        let security = security(reader);
        let topic = reader.text_or("ORDERS_TOPIC", "order-create");
        let windows = windows(reader);
        let user_limit = reader.integer_or("USER_LIMIT_DEFAULT", 1..=1000, 6);
        let webhook_secrets = reader.secrets(
            "PAYMENT_WEBHOOK_SECRET",
            &["PAYMENT_WEBHOOK_SECRET_NEXT"],
            16,
        );
        let webhook_tolerance = reader.seconds_or("PAYMENT_TOLERANCE_SECONDS", 1..=3600, 300);
        let waiting = waiting(reader);
        let calls = calls(reader, names.as_ref());
        let traces = TraceSettings::read(reader, "storefront");
        reader.finish(|| {
            let names = names?;
            Some(Self {
                topic: names.topic(&topic?),
                names,
                redis: redis?,
                cache: cache?,
                database: database?,
                connections: connections?,
                brokers: brokers?,
                security: security?,
                windows: windows?,
                user_limit: user_limit?,
                webhook_secrets: webhook_secrets?,
                webhook_tolerance: webhook_tolerance?,
                waiting: waiting?,
                calls: calls?,
                traces: traces?,
            })
        })
    }
}

fn windows(reader: &Reader) -> Option<Windows> {
    let pay = reader.seconds_or("PAY_WINDOW_SECONDS", 1..=86_400, 900);
    let publish = reader.milliseconds_or("PUBLISH_WINDOW_MS", 1_000..=600_000, 30_000);
    let delivery = reader.milliseconds_or("DELIVERY_TIMEOUT_MS", 500..=300_000, 10_000);
    let ms = |time: Duration| time.as_millis() as u64;
    let pay_ms = ms(pay?);
    let publish_ms = ms(publish?);
    let delivery_ms = ms(delivery?);
    // The least time to pay is create's to give; here it only must not contradict.
    match (Windows {
        pay_ms,
        min_pay_ms: 0,
        publish_ms,
        delivery_ms,
    })
    .checked()
    {
        Ok(windows) => Some(windows),
        Err(e) => {
            let together = "DELIVERY_TIMEOUT_MS, PUBLISH_WINDOW_MS, PAY_WINDOW_SECONDS";
            reader.refuse(
                together,
                format_args!("contradict each other: {e}"),
                "delivery timeout < publish window <= pay window",
            );
            None
        }
    }
}

/// A share of all instances, rounded down: with few of them none waits.
fn waiting(reader: &Reader) -> Option<WaitSettings> {
    let instances = reader.integer_or("STOREFRONT_CONCURRENCY", 0..=1_000_000_u32, 100);
    let percent = reader.integer_or("ORDER_WAIT_PERCENT", 0..=75_u32, 25);
    let stall = reader.milliseconds_or("ORDER_WAIT_STALL_MS", 100..=60_000, 10_000);
    Some(WaitSettings {
        places: instances? * percent? / 100,
        stall: stall?,
    })
}

fn calls(reader: &Reader, names: Option<&Names>) -> Option<CallSettings> {
    let enabled = reader.switch_or("API_CALLS_ENABLED", false);
    let topic = reader.text_or("API_CALLS_TOPIC", "api-call");
    let queue = reader.integer_or("API_CALL_QUEUE", 1..=1_000_000, 10_000);
    let flush = reader.milliseconds_or("API_CALL_FLUSH_MS", 0..=5_000, 0);
    let instance = reader
        .optional_text("AWS_LAMBDA_LOG_STREAM_NAME")
        .and_then(|name| CallInstance::new(name).ok());
    Some(CallSettings {
        enabled: enabled?,
        topic: names?.topic(&topic?),
        queue: queue?,
        flush: flush?,
        instance,
    })
}

fn security(reader: &Reader) -> Option<KafkaSecurity> {
    match reader.text_or("KAFKA_SECURITY", "plaintext")?.as_str() {
        "plaintext" => Some(KafkaSecurity::Plaintext),
        "sasl_ssl" => {
            let mechanism = reader.text_or("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
            let username = reader.text(
                "KAFKA_USERNAME",
                "the name for SASL, as KAFKA_SECURITY is sasl_ssl",
            );
            let password = reader.secret("KAFKA_PASSWORD", 1);
            Some(KafkaSecurity::SaslSsl {
                mechanism: mechanism?,
                username: username?,
                password: password?,
            })
        }
        other => {
            reader.refuse(
                "KAFKA_SECURITY",
                format_args!("is {other:?}"),
                "plaintext or sasl_ssl",
            );
            None
        }
    }
}

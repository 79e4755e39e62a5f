//! State that every handler shares: settings and adapters.

use std::sync::Arc;
use std::time::Duration;

use kafka_producer::BrokerAccess;
use lambda_runtime::Error;
use redis_link::Eviction;
use shared::access::{Access, Keys};
use shared::cache::{Announcer, ProgramCache, follow};
use shared::gate::Gate;
use shared::limits::RateLimiter;
use shared::store::Store;
use shared::telemetry::traces::Tracer;
use tokio::task::JoinSet;

use crate::admission::Admission;
use crate::barriers::{BarrierPoll, OwnBarriers};
use crate::emission::Emitter;
use crate::kafka::{KafkaOrders, PublishOrders, broker_security};
use crate::limits::Limits;
use crate::settings::Settings;

/// Timeout of a command to the gate's Redis.
const GATE_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long Postgres may be silent during a statement: longer than its `lock_timeout`, much shorter
/// than the timeout of a request.
const STORE_TIMEOUT: Duration = Duration::from_secs(8);

/// Where the export of spans delays answers at all, it delays at most one answer per interval.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Settings and adapters. One instance per process.
pub struct App {
    /// Settings.
    pub settings: Settings,
    /// Gate in Redis: seats, reservations, limits.
    pub gate: Gate,
    /// Postgres, the source of truth.
    pub store: Store,
    /// Publisher of orders to Kafka.
    pub publisher: Arc<dyn PublishOrders>,
    /// Rate limits of buyers and addresses.
    pub limits: Limits,
    /// Refuses orders while order-create stores none.
    pub admission: Admission,
    /// Barriers that this process appended to the orders' topic.
    pub barriers: OwnBarriers,
    /// Limits how often this process looks for requested barriers.
    pub barrier_poll: BarrierPoll,
    /// Programs, read through the caches.
    pub programs: ProgramCache<Store>,
    /// Publisher of program changes.
    pub changes: Announcer,
    /// Publisher of API calls; `None` where the settings disable it.
    pub emitter: Option<Emitter>,
    /// Keys that verify the payment provider's signatures.
    pub webhook_keys: Keys,
    /// Recorder of spans.
    pub tracer: Tracer,
    /// Identity of this process: 64 random bits in hex.
    pub instance: String,
    /// Background tasks, aborted when this value is dropped.
    _background: JoinSet<()>,
}

impl App {
    /// Uses the real adapters. Each of them connects when it is first used.
    pub async fn open(settings: Settings, access: &Access) -> Result<Self, Error> {
        let security = broker_security(&settings.security, access)?;
        let brokers = BrokerAccess::open(&settings.brokers, security).await?;
        let delivery = Duration::from_millis(settings.windows.delivery_ms);
        let (topic, linger) = (&settings.topic, settings.linger);
        let publisher = KafkaOrders::open(brokers.clone(), topic, delivery, linger)?;
        Self::with_publisher(settings, access, Arc::new(publisher), brokers)
    }

    /// Uses the given publisher of orders; `brokers` is for the producer of API calls. Must be called
    /// in a tokio runtime, which runs the background tasks.
    pub fn with_publisher(
        settings: Settings,
        access: &Access,
        publisher: Arc<dyn PublishOrders>,
        brokers: Arc<BrokerAccess>,
    ) -> Result<Self, Error> {
        let names = &settings.names;
        let gate = Gate::over(access.gate(&settings.redis, GATE_TIMEOUT)?, names.clone());
        let store = Store::open(
            &access.database(&settings.database)?,
            names,
            settings.connections,
        )?
        .answering_within(STORE_TIMEOUT);
        let calls = settings.calls.enabled;
        let emitter = calls.then(|| Emitter::open(&settings, &brokers));
        let emitter = emitter.transpose()?;
        let streams = &settings.cache.streams;
        let traces = access.traces(settings.traces.as_ref())?;
        let tracer = Tracer::start(traces.as_ref(), names, FLUSH_INTERVAL);
        let link = access.cache(&streams.redis, streams.timeout)?;
        let programs = settings.cache.open(store.clone(), link.clone(), names);
        let limiter = RateLimiter::new(link.clone(), names.clone());
        let limits = Limits::new(limiter, settings.limits, names);
        let changes = streams.changed_announcer(link.clone(), names);
        let mut background = JoinSet::new();
        background.spawn(brokers.renew_login());
        background.spawn(gate.link().clone().watch_eviction(Eviction::Nothing));
        background.spawn(gate.link().clone().watch_write_guard());
        background.spawn(link.clone().watch_eviction(Eviction::Expiring));
        if let Some(block) = settings.cache.block() {
            background.spawn(follow(
                programs.local(),
                link,
                names.clone(),
                streams.evicted.clone(),
                block,
            ));
        }
        Ok(Self {
            settings,
            gate,
            store,
            publisher,
            limits,
            admission: Admission::default(),
            barriers: OwnBarriers::default(),
            barrier_poll: BarrierPoll::default(),
            programs,
            changes,
            emitter,
            webhook_keys: access.keys(),
            tracer,
            instance: format!("{:016x}", rand::random::<u64>()),
            _background: background,
        })
    }
}

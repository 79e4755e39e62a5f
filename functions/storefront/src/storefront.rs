//! Everything a request may need, and the way from a route to its handler.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::http::{HeaderValue, Response};
use lambda_http::{Body, Error, Request};
use redis_link::Eviction;
use shared::cache::{Announcer, ProgramCache, follow};
use shared::gate::Gate;
use shared::message::{CallId, Nonce};
use shared::sale::ProgramStatus;
use shared::store::Store;
use shared::telemetry::traces::Tracer;
use tokio::task::JoinSet;

use crate::barriers::{LastLook, append_requested_beside};
use crate::emission::{Caller, Emitter};
use crate::http::{Call, Problem, Reply, Route};
use crate::kafka::{KafkaOrders, PublishOrders};
use crate::rebuild::OwnBarriers;
use crate::settings::Settings;
use crate::{api_calls, gaps, orders, parked, payments, programs, traces};

/// How long the gate may take to answer.
const GATE_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long Postgres may be silent during a statement of a request: longer than `lock_timeout`, much shorter than a request may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(8);

/// Of so much time one answer waits for the export of spans at most, where answers wait at all: those of the others go with it, or while
/// the next request is at work.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The header of every answer that tells which process gave it.
pub const INSTANCE_HEADER: &str = "x-instance-id";

/// Time and randomness, as parameters.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Seconds since 1970.
    fn now_s(&self) -> u64 {
        self.now_ms() / 1000
    }
    /// 16 random bits for an order number.
    fn random(&self) -> u16;
    /// A nonce.
    fn nonce(&self) -> Nonce;
    /// An identity for a call.
    fn call_id(&self) -> CallId;
}

/// The machine's clock and random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }

    fn random(&self) -> u16 {
        rand::random()
    }

    fn nonce(&self) -> Nonce {
        Nonce::new(rand::random())
    }

    fn call_id(&self) -> CallId {
        CallId::new(rand::random())
    }
}

/// The shop: adapters and settings. One a process.
pub struct Storefront {
    /// Settings.
    pub settings: Settings,
    /// The gate.
    pub gate: Gate,
    /// The truth.
    pub store: Store,
    /// Where orders go.
    pub publisher: Arc<dyn PublishOrders>,
    /// Barriers that this process appended to the orders' topic.
    pub barriers: OwnBarriers,
    /// When requests for further ones were looked for.
    pub barrier_look: LastLook,
    /// Programs, through the caches.
    pub programs: ProgramCache<Store>,
    /// Where changes of programs are told.
    pub changes: Announcer,
    /// Where calls go; nothing where none are sent.
    pub emitter: Option<Emitter>,
    /// Where spans go.
    pub tracer: Tracer,
    /// Time and randomness.
    pub clock: Arc<dyn Clock>,
    /// This process, by 64 random bits in hex.
    pub instance: String,
    /// What runs beside the requests: the follower of changed programs, where there is one. Ends with the shop.
    _beside: JoinSet<()>,
}

impl Storefront {
    /// With real adapters; all connect when first used.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let delivery = Duration::from_millis(settings.windows.delivery_ms);
        let publisher = KafkaOrders::open(
            &settings.brokers,
            &settings.security,
            &settings.topic,
            delivery,
        )?;
        Self::with_publisher(settings, Arc::new(publisher))
    }

    /// With a publisher of the caller's. Needs a tokio runtime, in which the follower runs between and beside requests.
    pub fn with_publisher(
        settings: Settings,
        publisher: Arc<dyn PublishOrders>,
    ) -> Result<Self, Error> {
        let gate = Gate::connect(
            settings.redis.as_str(),
            settings.names.clone(),
            GATE_TIMEOUT,
        )?;
        let store = Store::connect(
            settings.database.as_str(),
            &settings.names,
            settings.connections,
        )?;
        let store = store.answering_within(STORE_TIMEOUT);
        let emitter = if settings.calls.enabled {
            Some(Emitter::open(&settings)?)
        } else {
            None
        };
        let names = &settings.names;
        let streams = &settings.cache.streams;
        let tracer = Tracer::start(settings.traces.as_ref(), names, FLUSH_EVERY);
        let link = streams.link()?;
        let programs = settings.cache.open(store.clone(), link.clone(), names);
        let changes = streams.tell_changed(link.clone(), names);
        let mut beside = JoinSet::new();
        beside.spawn(gate.link().clone().watch_eviction(Eviction::Nothing));
        beside.spawn(link.clone().watch_eviction(Eviction::Expiring));
        if let Some(block) = settings.cache.block() {
            beside.spawn(follow(
                programs.local(),
                link,
                names.clone(),
                streams.evicted.clone(),
                block,
            ));
        }
        let instance = format!("{:016x}", rand::random::<u64>());
        let clock = Arc::new(SystemClock);
        Ok(Self {
            settings,
            gate,
            store,
            publisher,
            barriers: OwnBarriers::default(),
            barrier_look: LastLook::default(),
            programs,
            changes,
            emitter,
            tracer,
            clock,
            instance,
            _beside: beside,
        })
    }

    /// Answers one request of the gateway, whatever it is, and sends the call on.
    pub async fn answer(&self, request: Request) -> Response<Body> {
        let caller = Caller::note(&request, self.clock.now_ms());
        let began = SystemTime::now();
        let mut call = Call::read(request);
        let place = self.tracer.place(call.traceparent());
        call.span = place.map(|place| place.context);
        append_requested_beside(self);
        let answer = self.serve(&call).await;
        if let Some(place) = place.filter(|place| place.context.is_sampled()) {
            self.tracer.record([traces::request(
                place,
                &call,
                &answer,
                (began, SystemTime::now()),
            )]);
        }
        let mut response = Reply::response(answer);
        if let Ok(instance) = HeaderValue::from_str(&self.instance) {
            response.headers_mut().insert(INSTANCE_HEADER, instance);
        }
        if let Some(emitter) = &self.emitter {
            emitter.emit(&caller.answered(
                &call,
                response.status().as_u16(),
                self.clock.call_id(),
                emitter.instance(),
            ));
        }
        let called = async {
            if let Some(emitter) = &self.emitter {
                emitter.settle().await;
            }
        };
        tokio::join!(called, self.tracer.settle());
        response
    }

    /// Answers one request, taken apart.
    pub async fn serve(&self, call: &Call) -> Result<Reply, Problem> {
        let route = Route::of(&call.method, &call.path)?;
        if let Some(parameters) = route.parameters() {
            call.only(parameters)?;
        }
        match route {
            Route::CreateProgram => programs::create(self, call).await,
            Route::Program(id) => programs::get(self, &id).await,
            Route::UpdateProgram(id) => programs::update(self, &id, call).await,
            Route::StopSale(id) => programs::switch(self, &id, ProgramStatus::Stopped, call).await,
            Route::ResumeSale(id) => programs::switch(self, &id, ProgramStatus::OnSale, call).await,
            Route::Seats(id) => programs::seats(self, &id, call).await,
            Route::CreateOrder(program) => orders::create(self, &program, call).await,
            Route::Order(number) => orders::get(self, &number, call).await,
            Route::Orders => orders::mine(self, call).await,
            Route::CancelOrder(number) => orders::cancel(self, &number, call).await,
            Route::Payment => payments::receive(self, call).await,
            Route::Payments => payments::list(self, call).await,
            Route::RefundedPayment(id) => payments::refunded(self, &id, call).await,
            Route::ApiCalls => api_calls::search(self, call).await,
            Route::ApiStatistics => api_calls::statistics(self, call).await,
            Route::ParkedList => parked::list(self, call).await,
            Route::Parked(id) => parked::show(self, &id, call).await,
            Route::ReplayParked(id) => parked::replay(self, &id, call).await,
            Route::DiscardParked(id) => parked::discard(self, &id, call).await,
            Route::Gaps => gaps::list(self, call).await,
            Route::CloseGap(id) => gaps::close(self, &id, call).await,
        }
    }
}

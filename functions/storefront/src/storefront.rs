//! Everything a request may need, and the way from a route to its handler.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::http::Response;
use lambda_http::{Body, Error, Request};
use shared::gate::Gate;
use shared::message::{CallId, Nonce};
use shared::store::Store;

use crate::emission::{Caller, Emitter};
use crate::http::{Call, Problem, Reply, Route};
use crate::kafka::{KafkaOrders, PublishOrders};
use crate::programs::Catalogue;
use crate::settings::Settings;
use crate::{api_calls, orders, payments, programs};

/// How long the gate may take to answer.
const GATE_TIMEOUT: Duration = Duration::from_millis(1500);

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
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
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
    /// Programs seen a moment ago.
    pub catalogue: Catalogue,
    /// Where calls go; nothing where none are sent.
    pub emitter: Option<Emitter>,
    /// Time and randomness.
    pub clock: Arc<dyn Clock>,
}

impl Storefront {
    /// With real adapters; all connect when first used.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let delivery = Duration::from_millis(settings.windows.delivery_ms);
        let publisher = KafkaOrders::open(&settings.brokers, &settings.security, &settings.topic, delivery)?;
        Self::with_publisher(settings, Arc::new(publisher))
    }

    /// With a publisher of the caller's.
    pub fn with_publisher(settings: Settings, publisher: Arc<dyn PublishOrders>) -> Result<Self, Error> {
        let gate = Gate::connect(settings.redis.as_str(), settings.names.clone(), GATE_TIMEOUT)?;
        let store = Store::connect(settings.database.as_str(), &settings.names, settings.connections)?;
        let emitter = if settings.calls.enabled { Some(Emitter::open(&settings)?) } else { None };
        let (catalogue, clock) = (Catalogue::default(), Arc::new(SystemClock));
        Ok(Self { settings, gate, store, publisher, catalogue, emitter, clock })
    }

    /// Answers one request of the gateway, whatever it is, and sends the call on.
    pub async fn answer(&self, request: Request) -> Response<Body> {
        let caller = Caller::note(&request, self.clock.now_ms());
        let call = Call::read(request);
        let response = Reply::response(self.serve(&call).await);
        if let Some(emitter) = &self.emitter {
            emitter.emit(&caller.answered(&call, response.status().as_u16(), self.clock.call_id(), emitter.instance()));
            emitter.settle().await;
        }
        response
    }

    /// Answers one request, taken apart.
    pub async fn serve(&self, call: &Call) -> Result<Reply, Problem> {
        match Route::of(&call.method, &call.path)? {
            Route::CreateProgram => programs::create(self, call).await,
            Route::Program(id) => programs::get(self, &id).await,
            Route::Seats(id) => programs::seats(self, &id, call).await,
            Route::CreateOrder(program) => orders::create(self, &program, call).await,
            Route::Order(number) => orders::get(self, &number, call).await,
            Route::Orders => orders::mine(self, call).await,
            Route::CancelOrder(number) => orders::cancel(self, &number, call).await,
            Route::Payment => payments::receive(self, call).await,
            Route::ApiCalls => api_calls::search(self, call).await,
            Route::ApiStatistics => api_calls::statistics(self, call).await,
        }
    }
}

//! The way of a request: it is read, routed to its handler, answered, traced and counted.

use std::time::{Instant, SystemTime};

use shared::message::Nonce;
use shared::sale::ProgramStatus;

use crate::app::App;
use crate::emission::Caller;
use crate::http::{Call, HttpEvent, HttpResponse, Problem, Reply, RequestClass, Route, now_ms};
use crate::{
    api_calls, barriers, gaps, orders, parked, payments, programs, refunds, traces, waiting_room,
};

/// Response header with the identity of the process that answered.
pub const INSTANCE_HEADER: &str = "x-instance-id";

impl App {
    /// Answers one request of the gateway and publishes the API call. Every failure becomes an
    /// error response.
    pub async fn answer(&self, event: HttpEvent) -> HttpResponse {
        let caller = Caller::read(&event, now_ms());
        let began = SystemTime::now();
        let mut call = event.call;
        let place = self.tracer.position(call.traceparent());
        call.span = place.map(|place| place.context);
        self.append_requested_barriers();
        let answer = self.serve(&call).await;
        if let Some(place) = place.filter(|place| place.context.is_sampled()) {
            let took = (began, SystemTime::now());
            let span = traces::request(place, &call, &answer, took);
            self.tracer.record([span]);
        }
        let mut response = Reply::response(answer);
        let instance = self.instance.clone().into();
        response.headers.push((INSTANCE_HEADER, instance));
        if let Some(emitter) = &self.emitter {
            emitter.emit(&caller.answered(&call, response.status, emitter.instance()));
        }
        let delivered = async {
            if let Some(emitter) = &self.emitter {
                emitter.settle().await;
            }
        };
        tokio::join!(delivered, self.tracer.flush());
        response
    }

    /// Routes one call to its handler.
    pub async fn serve(&self, call: &Call) -> Result<Reply, Problem> {
        let (route, _) = Route::find(&call.method, &call.path)?;
        self.settings
            .classes
            .admit(route.class())
            .inspect_err(|problem| {
                tracing::error!(
                    path = call.path,
                    why = problem.detail,
                    "the template sends a request to a function of another class; it is refused"
                );
            })?;
        if let Some(parameters) = route.parameters() {
            call.only(parameters)?;
        }
        if route.class() == RequestClass::Lookups {
            let user = call.claims.user().ok();
            let class = RequestClass::Lookups;
            self.limits.take(class, call, user.as_ref()).await?;
        }
        match route {
            Route::CreateOrder(program) => orders::create(self, &program, call).await,
            // On the heap: the future of an order has its own size, not that of the largest handler.
            other => Box::pin(self.serve_other(other, call)).await,
        }
    }

    /// Routes of which few requests are part of a rush.
    async fn serve_other(&self, route: Route, call: &Call) -> Result<Reply, Problem> {
        match route {
            Route::CreateProgram => programs::create(self, call).await,
            Route::Program(id) => programs::get(self, &id).await,
            Route::UpdateProgram(id) => programs::update(self, &id, call).await,
            Route::StopSale(id) => programs::switch(self, &id, ProgramStatus::Stopped, call).await,
            Route::ResumeSale(id) => programs::switch(self, &id, ProgramStatus::OnSale, call).await,
            Route::AddSeats(id) => programs::add_seats(self, &id, call).await,
            Route::BlockSeats(id) => programs::block(self, &id, call).await,
            Route::UnblockSeats(id) => programs::unblock(self, &id, call).await,
            Route::BlockedSeats(id) => programs::blocked(self, &id, call).await,
            Route::Seats(id) => programs::seats(self, &id, call).await,
            Route::CreateOrder(program) => orders::create(self, &program, call).await,
            Route::JoinRoom(program) => waiting_room::join(self, &program, call).await,
            Route::RoomPlace(program) => waiting_room::look(self, &program, call).await,
            Route::SwitchRoom(id) => programs::switch_waiting_room(self, &id, call).await,
            Route::Order(number) => orders::get(self, &number, call).await,
            Route::Orders => orders::list(self, call).await,
            Route::CancelOrder(number) => orders::cancel(self, &number, call).await,
            Route::Payment => payments::receive(self, call).await,
            Route::Payments => payments::list(self, call).await,
            Route::RefundedPayment(id) => payments::refunded(self, &id, call).await,
            Route::AssignPayment(id) => refunds::assign(self, &id, call).await,
            Route::CreateRefund(number) => refunds::create(self, &number, call).await,
            Route::Refunds => refunds::list(self, call).await,
            Route::RecordedRefund(id) => refunds::recorded(self, &id, call).await,
            Route::RetryRefund(id) => refunds::retry(self, &id, call).await,
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

    /// Appends the barriers that the timeout-closer has requested, in a background task, if a poll
    /// is due.
    fn append_requested_barriers(&self) {
        if !self.barrier_poll.is_due(Instant::now()) {
            return;
        }
        let store = self.store.clone();
        let publisher = self.publisher.clone();
        let topic = self.settings.topic.clone();
        let token = Nonce::new(rand::random());
        tokio::spawn(async move {
            if let Err(error) = barriers::append_requested(&store, &publisher, &topic, token).await
            {
                tracing::warn!(
                    %error,
                    "cannot append the requested barriers; a later request tries again"
                );
            }
        });
    }
}

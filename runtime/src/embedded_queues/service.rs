//! The queues behind their lock: applies calls, waits for messages, and for the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use embedded_sqs::{
    ApiError, Change, Context, ErrorKind, Millis, QueueId, Queues, Request, Response,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::error::QueueFileError;
use super::store::{Store, Written};
use crate::clock::Clock;
use crate::lock::lock;

/// The queues of one host.
#[derive(Debug)]
pub(super) struct Service {
    /// Changes reach the store in the order in which they were made: it is called under this lock.
    queues: Mutex<Queues>,
    store: Store,
    clock: Clock,
    /// Wakes receives that wait for messages of a queue.
    waiting: Mutex<HashMap<QueueId, Arc<Notify>>>,
}

/// A call that was applied and may not be on disk yet.
struct Applied {
    answer: Result<Response, ApiError>,
    written: Written,
    /// When a message may become visible without another call.
    next_visible: Option<Instant>,
}

impl Service {
    pub(super) fn new(queues: Queues, store: Store) -> Self {
        Self {
            queues: Mutex::new(queues),
            store,
            clock: Clock::start(),
            waiting: Mutex::default(),
        }
    }

    /// Applies a call, and returns once its changes are stored. A receive waits for a first message
    /// as long as it or its queue says.
    pub(super) async fn call(&self, request: &Request) -> Result<Response, ApiError> {
        let wait = lock(&self.queues).wait_time(request);
        let deadline = Instant::now() + wait;
        let from = request.receives_from().filter(|_| !wait.is_zero());
        let queue = from.and_then(|url| lock(&self.queues).id_of(url));
        loop {
            let changed = queue.map(|queue| self.notify_of(queue));
            // registered before the call: a message that arrives after it is not missed
            let mut changed = std::pin::pin!(changed.as_ref().map(|notify| notify.notified()));
            if let Some(notified) = changed.as_mut().as_pin_mut() {
                notified.enable();
            }
            let applied = self.apply(request);
            applied
                .written
                .wait()
                .await
                .map_err(|error| not_stored(&error))?;
            let answer = applied.answer?;
            let Some(notified) = changed.as_mut().as_pin_mut() else {
                return Ok(answer);
            };
            if !answer.is_empty_receive() || Instant::now() >= deadline {
                return Ok(answer);
            }
            let until = applied.next_visible.map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                () = notified => {}
                () = sleep_until(until) => {}
            }
        }
    }

    fn apply(&self, request: &Request) -> Applied {
        let mut queues = lock(&self.queues);
        let now = self.clock.now() as Millis;
        let mut context = Context {
            now,
            random: &mut rand::random,
        };
        let answer = queues.call(request, &mut context);
        let changes = queues.take_changes();
        let next = request.receives_from();
        let next = next.and_then(|url| queues.next_visible(url, now));
        self.wake(&changes);
        Applied {
            answer,
            written: self.store.write(changes),
            next_visible: next.map(|at| Instant::now() + Duration::from_millis(at - now)),
        }
    }

    /// Wakes the receives of queues in which another message may be visible.
    fn wake(&self, changes: &[Change]) {
        let waiting = lock(&self.waiting);
        let changed = changes.iter().filter(|change| {
            !matches!(
                change,
                Change::PutDeduplication(..) | Change::RemoveDeduplication(..)
            )
        });
        for notify in changed.filter_map(|change| waiting.get(&change.queue())) {
            notify.notify_waiters();
        }
    }

    fn notify_of(&self, queue: QueueId) -> Arc<Notify> {
        lock(&self.waiting).entry(queue).or_default().clone()
    }
}

fn not_stored(error: &QueueFileError) -> ApiError {
    ApiError::new(ErrorKind::InternalError, error.to_string())
}

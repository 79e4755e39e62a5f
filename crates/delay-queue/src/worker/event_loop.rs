//! The worker's loop: one task owns all state and spawns every round trip and every handler.
//!
//! At most one claim, one batch of completions and one extension of leases are in flight, and as
//! many handlers as there are slots. An entry uses a slot from its claim until its completion is
//! applied.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use redis_link::LinkError;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Worker;
use super::completions::{self, Completion};
use super::due_index::{DueIndex, free_slots};
use super::job::Handler;
use super::notifications::{self, Notification};
use super::redis_clock::RedisClock;
use super::timer::Timer;
use crate::{Claim, Claimed, Fenced, Outcome};

/// How often the worker polls while it has no subscription.
const UNSUBSCRIBED_POLL: Duration = Duration::from_millis(100);
/// Notifications that wait for the loop; more wait in Redis.
const NOTIFICATIONS: usize = 1024;

/// What a worker has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Entries acknowledged.
    pub done: u64,
    /// Entries returned for another attempt.
    pub retried: u64,
    /// Entries parked.
    pub parked: u64,
    /// Attempts that ended after their lease was lost: their dispositions were not applied.
    pub stale: u64,
    /// Handlers stopped because their lease was lost.
    pub revoked: u64,
    /// Handlers that still ran at the drain timeout; their entries are due again when their leases
    /// end.
    pub unfinished: u64,
}

/// An entry with a running handler.
pub(super) struct Running {
    pub(super) claim: Claim,
    /// When its lease was last extended, at the latest.
    pub(super) extended: Instant,
    pub(super) handler: AbortHandle,
}

/// The result of a round trip.
pub(super) enum RoundTrip {
    Claimed {
        sent: Instant,
        received: Instant,
        result: Result<Claimed, LinkError>,
    },
    Completed {
        completions: Vec<Completion>,
        result: Result<Vec<Fenced>, LinkError>,
    },
    Extended {
        sent: Instant,
        handlers: Vec<Id>,
        result: Result<Vec<Fenced>, LinkError>,
    },
}

pub(super) struct EventLoop<'w, H> {
    pub(super) worker: &'w Worker<H>,
    /// The local clock counts from here.
    started: Instant,
    pub(super) due: DueIndex,
    pub(super) clock: RedisClock,
    pub(super) round_trips: JoinSet<RoundTrip>,
    pub(super) claiming: bool,
    pub(super) extending: bool,
    /// How many completions are in flight.
    pub(super) completing: usize,
    pub(super) handlers: JoinSet<Outcome>,
    pub(super) running: HashMap<Id, Running>,
    /// Completions to be applied.
    pub(super) completions: Vec<Completion>,
    /// Failed round trips in a row, and until when no other is started.
    pub(super) failures: u32,
    pub(super) paused_until: Option<Instant>,
    subscribed: bool,
    poll_at: Instant,
    /// The drain timeout, once stopped.
    drain_until: Option<Instant>,
    pub(super) counts: WorkerCounts,
}

pub(super) async fn run<H: Handler>(
    worker: &Worker<H>,
    stop: impl Future<Output = ()>,
) -> WorkerCounts {
    let settings = &worker.settings;
    let mut stop = pin!(stop);
    let timer = Timer::new();
    let (out, mut incoming) = mpsc::channel(NOTIFICATIONS);
    // A set aborts the task when this future is dropped.
    let mut subscriber = JoinSet::new();
    let shards = settings.shards.clone();
    subscriber.spawn(notifications::forward(worker.queue.clone(), shards, out));
    let mut extension = tokio::time::interval(settings.lease / 6);
    extension.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut this = EventLoop::new(worker);
    loop {
        this.start_work();
        if this.is_drained() {
            return this.counts;
        }
        timer.set(this.next_claim_at());
        tokio::select! {
            Some(result) = this.round_trips.join_next() => this.on_round_trip(result),
            Some(outcome) = this.handlers.join_next_with_id() => {
                this.on_outcome(outcome);
                while let Some(outcome) = this.handlers.try_join_next_with_id() {
                    this.on_outcome(outcome);
                }
            }
            Some(notification) = incoming.recv() => this.on_notification(notification),
            () = timer.fired() => {}
            _ = extension.tick() => this.extend_leases(),
            () = sleep_until(this.poll_at) => this.poll(),
            () = until(this.paused_until) => this.paused_until = None,
            () = &mut stop, if this.drain_until.is_none() => {
                this.drain_until = Some(Instant::now() + settings.drain_timeout);
            }
            () = until(this.drain_until) => {
                this.counts.unfinished = this.running.len() as u64;
                return this.counts;
            }
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl<'w, H: Handler> EventLoop<'w, H> {
    fn new(worker: &'w Worker<H>) -> Self {
        let started = Instant::now();
        Self {
            worker,
            due: DueIndex::new(&worker.settings.shards),
            started,
            clock: RedisClock::default(),
            round_trips: JoinSet::new(),
            claiming: false,
            extending: false,
            completing: 0,
            handlers: JoinSet::new(),
            running: HashMap::new(),
            completions: Vec::new(),
            failures: 0,
            paused_until: None,
            subscribed: false,
            poll_at: started + UNSUBSCRIBED_POLL,
            drain_until: None,
            counts: WorkerCounts::default(),
        }
    }

    /// Stopped, and no work is left. While Redis is down, completions are repeated until the drain
    /// timeout.
    fn is_drained(&self) -> bool {
        self.drain_until.is_some()
            && self.running.is_empty()
            && self.completions.is_empty()
            && self.completing == 0
            && !self.claiming
    }

    /// Microseconds of the local clock.
    pub(super) fn micros(&self, time: Instant) -> u64 {
        time.duration_since(self.started).as_micros() as u64
    }

    fn free_slots(&self) -> usize {
        free_slots(
            self.worker.settings.concurrency,
            self.running.len() + self.completions.len() + self.completing,
            self.worker.settings.batch,
        )
    }

    /// Starts every round trip that is possible now.
    fn start_work(&mut self) {
        if self.paused_until.is_some() {
            return;
        }
        if self.completing == 0 && !self.completions.is_empty() {
            let queue = self.worker.queue.clone();
            let completions = std::mem::take(&mut self.completions);
            self.completing = completions.len();
            self.round_trips.spawn(async move {
                RoundTrip::Completed {
                    result: completions::apply(&queue, &completions).await,
                    completions,
                }
            });
        }
        let slots = self.free_slots();
        if self.claiming || self.drain_until.is_some() || slots == 0 {
            return;
        }
        let reached = self.clock.reached_ms(self.micros(Instant::now()));
        let shards = self.due.begin_claim(reached, slots);
        if !shards.is_empty() {
            self.claiming = true;
            let queue = self.worker.queue.clone();
            let lease_ms = self.worker.settings.lease.as_millis() as u64;
            self.round_trips.spawn(async move {
                let sent = Instant::now();
                let result = queue.claim(&shards, slots, lease_ms).await;
                RoundTrip::Claimed {
                    sent,
                    received: Instant::now(),
                    result,
                }
            });
        }
    }

    /// When the next claim is possible. `None` while that does not depend on time.
    fn next_claim_at(&self) -> Option<std::time::Instant> {
        if self.claiming
            || self.paused_until.is_some()
            || self.drain_until.is_some()
            || self.free_slots() == 0
        {
            return None;
        }
        let now = self.micros(Instant::now());
        let local = self.clock.local_of(self.due.next_ms()?, now)?;
        // `None` for a time beyond the range of the clock.
        self.started
            .checked_add(Duration::from_micros(local))
            .map(Instant::into_std)
    }

    fn on_notification(&mut self, notification: Notification) {
        match notification {
            Notification::Earlier(shard, due_ms) => self.due.notify(shard, due_ms),
            Notification::Subscribed(subscribed) => {
                self.subscribed = subscribed;
                self.poll();
            }
        }
    }

    /// Claims from all shards: notifications may have been lost.
    fn poll(&mut self) {
        self.due.invalidate();
        let mut interval = self.worker.settings.poll_interval;
        if !self.subscribed {
            interval = interval.min(UNSUBSCRIBED_POLL);
        }
        self.poll_at = Instant::now() + interval;
    }
}

//! Which instance gets the next invocation of one function: a waiting one, a new one, or none yet.
//!
//! Every method decides under one short lock, and returns what the caller must do (start a process,
//! reject the job). Not pure: a worker that receives a job notes the time and sends the job over
//! its channel while the lock is held; neither blocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, oneshot};

use super::job::{Assignment, Job, JobResult};
use super::stats::InstanceStats;

/// An instance, as the dispatcher and the pool use it.
pub(super) trait Worker: Debug + Send + Sync {
    fn id(&self) -> u64;

    /// Takes the job and sends it to the waiting call; returns it if that call is gone.
    #[expect(
        clippy::result_large_err,
        reason = "the job returns to the queue whole; boxing would cost each job an allocation"
    )]
    fn assign(self: Arc<Self>, job: Job, call: oneshot::Sender<Assignment>) -> Result<(), Job>;

    fn is_busy(&self) -> bool;

    /// Since when it waits for an event; `None`: it is busy or stopping.
    fn idle_since(&self) -> Option<Instant>;

    /// Stops it, unless it is busy.
    fn stop_if_idle(&self);

    /// Stops it, busy or not.
    fn stop(&self);

    fn stats(&self) -> InstanceStats;
}

/// A waiting `next` call. A process has one for each event that it can take at the same time.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) worker: Arc<dyn Worker>,
    pub(super) call: oneshot::Sender<Assignment>,
}

/// What became of a submitted job.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Submission {
    /// An instance has it.
    Assigned,
    /// It waits for an instance.
    Queued,
    /// It waits, and the caller must start an instance with this id.
    Start(u64),
    /// Rejected at the limit.
    Throttled,
    /// Rejected: the host is draining.
    Draining,
}

/// What the caller must do after a change of the limit.
#[derive(Debug, Default)]
pub(super) struct LimitChange {
    /// Idle instances above the new limit, to be stopped.
    pub(super) excess: Vec<Arc<dyn Worker>>,
    /// Ids of instances to start for queued jobs.
    pub(super) start: Vec<u64>,
}

#[derive(Debug, Default)]
struct State {
    limit: usize,
    /// Last in, first out: the warmest instance works, the others may become idle and stop.
    idle: Vec<Slot>,
    /// First in, first out.
    queue: VecDeque<Job>,
    /// Every instance by id; `None`: announced, and not yet started.
    instances: BTreeMap<u64, Option<Arc<dyn Worker>>>,
    starting: usize,
    /// Instances that just answered: their next call comes sooner than a new instance could start.
    returning: BTreeSet<u64>,
    draining: bool,
    next_instance: u64,
}

/// The dispatcher of one function.
#[derive(Debug)]
pub(super) struct Dispatcher {
    state: Mutex<State>,
    /// Notified when an instance may have become available.
    freed: Notify,
}

impl Dispatcher {
    /// `limit`: processes at one time at most.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                limit,
                ..State::default()
            }),
            freed: Notify::new(),
        }
    }

    /// Changes the limit. A busy instance above it stops with its next call.
    pub(super) fn set_limit(&self, limit: NonZeroUsize) -> LimitChange {
        let mut state = self.state();
        state.limit = limit.get();
        let mut change = LimitChange::default();
        while let Some(id) = state.announce_if_needed() {
            change.start.push(id);
        }
        // the longest idle first
        let excess = state.instances.len().saturating_sub(state.limit);
        let mut idle = state.idle.iter().map(|slot| &slot.worker);
        while change.excess.len() < excess
            && let Some(worker) = idle.next()
        {
            if !change.excess.iter().any(|other| other.id() == worker.id()) {
                change.excess.push(worker.clone());
            }
        }
        drop(idle);
        drop(state);
        self.freed.notify_waiters();
        change
    }

    pub(super) fn limit(&self) -> usize {
        self.state().limit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Assigns or queues a job. With a limit of 0 every job is throttled.
    pub(super) fn submit(&self, job: Job) -> Submission {
        let mut state = self.state();
        if state.draining {
            return Submission::Draining;
        }
        if state.limit == 0 {
            return Submission::Throttled;
        }
        // queued jobs came first
        let job = if state.queue.is_empty() {
            match assign(&mut state.idle, job) {
                None => return Submission::Assigned,
                Some(job) => job,
            }
        } else {
            job
        };
        let covered = state.expected() > state.queue.len();
        if !covered && state.instances.len() < state.limit {
            state.queue.push_back(job);
            return Submission::Start(state.announce());
        }
        if covered || job.queue_at_limit {
            state.queue.push_back(job);
            return Submission::Queued;
        }
        Submission::Throttled
    }

    /// Removes a job that waits for busy instances. False: an instance has it or is being started
    /// for it (its initialisation is part of the invocation), and its outcome will come.
    pub(super) fn take_back(&self, request_id: &str) -> bool {
        let mut state = self.state();
        let waiting = state
            .queue
            .iter()
            .position(|job| &*job.request_id == request_id)
            .filter(|at| *at >= state.starting);
        waiting.and_then(|at| state.queue.remove(at)).is_some()
    }

    /// Waits until a job would find an instance, or one could be started; or until any instance
    /// became available, which another caller may take first.
    pub(super) async fn available(&self) {
        let freed = self.freed.notified();
        if !self.state().is_available() {
            freed.await;
        }
    }

    /// An announced instance exists.
    pub(super) fn started(&self, worker: Arc<dyn Worker>) {
        self.state().instances.insert(worker.id(), Some(worker));
    }

    /// An instance finished its initialisation.
    pub(super) fn initialised(&self) {
        let mut state = self.state();
        state.starting = state.starting.saturating_sub(1);
    }

    /// A `next` call arrived: it gets the oldest job, or waits.
    pub(super) fn offer(&self, slot: Slot) {
        self.assign_or_wait(slot);
        self.freed.notify_waiters();
    }

    fn assign_or_wait(&self, slot: Slot) {
        let mut state = self.state();
        state.returning.remove(&slot.worker.id());
        if state.instances.len() > state.limit && !slot.worker.is_busy() {
            drop(state);
            // the limit was lowered while it was busy
            slot.worker.stop_if_idle();
            return;
        }
        let mut slots = vec![slot];
        while let Some(job) = state.queue.pop_front() {
            if job.reply.is_closed() {
                continue; // its caller gave up
            }
            if let Some(job) = assign(&mut slots, job) {
                state.queue.push_front(job);
            }
            return;
        }
        state.idle.append(&mut slots);
    }

    /// An instance ended. Returns the id of one to start if queued jobs need it. `never_ready`: its
    /// initialisation failed. The oldest job gets this result; otherwise a function that cannot
    /// start would be started for ever.
    pub(super) fn ended(
        &self,
        instance: u64,
        initialised: bool,
        never_ready: Option<&dyn Fn(&str) -> JobResult>,
    ) -> Option<u64> {
        let mut state = self.state();
        state.instances.remove(&instance);
        state.remove_slots(instance);
        if !initialised {
            state.starting = state.starting.saturating_sub(1);
        }
        state.queue.retain(|job| !job.reply.is_closed());
        if let Some(result) = never_ready
            && let Some(job) = state.queue.pop_front()
        {
            let result = result(&job.request_id);
            let _ = job.reply.send(result);
        }
        let next = state.announce_if_needed();
        drop(state);
        self.freed.notify_waiters();
        next
    }

    /// The host cannot start an announced instance. Jobs that may queue wait for the function's
    /// other instances; without any, and for the other jobs, `result` is the answer. No further
    /// instance is announced before one of these ends or a job comes.
    pub(super) fn no_capacity(&self, instance: u64, result: &dyn Fn() -> JobResult) {
        let mut state = self.state();
        state.instances.remove(&instance);
        state.starting = state.starting.saturating_sub(1);
        let alone = state.instances.is_empty();
        let (queued, rejected): (VecDeque<Job>, VecDeque<Job>) = std::mem::take(&mut state.queue)
            .into_iter()
            .partition(|job| job.queue_at_limit && !alone);
        state.queue = queued;
        drop(state);
        for job in rejected {
            // the receiver is gone where the caller gave up
            let _ = job.reply.send(result());
        }
    }

    /// An instance is about to answer and will call `next` soon.
    pub(super) fn returning(&self, instance: u64) {
        let mut state = self.state();
        // one that has ended will not call again
        if state.instances.contains_key(&instance) {
            state.returning.insert(instance);
        }
    }

    /// An instance has not called `next` in time. Returns the id of one to start in its place.
    pub(super) fn overdue(&self, instance: u64) -> Option<u64> {
        let mut state = self.state();
        state.returning.remove(&instance);
        state.announce_if_needed()
    }

    /// Removes an instance's waiting calls, so that it gets no further job.
    pub(super) fn withdraw(&self, instance: u64) {
        self.state().remove_slots(instance);
    }

    /// Accepts no job any more. The channels of queued jobs are closed.
    pub(super) fn drain(&self) {
        let mut state = self.state();
        state.draining = true;
        state.queue.clear();
    }

    /// Drops every instance: instances hold this dispatcher as well, a cycle of references.
    pub(super) fn release_instances(&self) {
        let mut state = self.state();
        state.idle.clear();
        state.instances.clear();
    }

    /// The instance that has been idle longest, and since when.
    pub(super) fn longest_idle(&self) -> Option<(Instant, Arc<dyn Worker>)> {
        let state = self.state();
        let idle = state
            .idle
            .iter()
            .filter_map(|slot| Some((slot.worker.idle_since()?, slot.worker.clone())));
        idle.min_by_key(|(since, _)| *since)
    }

    pub(super) fn instances(&self) -> Vec<Arc<dyn Worker>> {
        self.state().instances.values().flatten().cloned().collect()
    }

    /// Instances, starting ones included.
    pub(super) fn instance_count(&self) -> usize {
        self.state().instances.len()
    }

    pub(super) fn queued(&self) -> usize {
        self.state().queue.len()
    }
}

impl State {
    /// Instances that will call `next` soon.
    fn expected(&self) -> usize {
        self.starting + self.returning.len()
    }

    /// A job that came now would not wait for a busy instance.
    fn is_available(&self) -> bool {
        let free = !self.idle.is_empty() || self.instances.len() < self.limit;
        self.expected() > self.queue.len() || (free && self.queue.is_empty())
    }

    /// Announces an instance if more jobs are queued than instances are expected to return.
    fn announce_if_needed(&mut self) -> Option<u64> {
        let uncovered = self.queue.len() > self.expected();
        (uncovered && self.instances.len() < self.limit && !self.draining).then(|| self.announce())
    }

    fn announce(&mut self) -> u64 {
        self.next_instance += 1;
        self.starting += 1;
        self.instances.insert(self.next_instance, None);
        self.next_instance
    }

    fn remove_slots(&mut self, instance: u64) {
        self.idle.retain(|slot| slot.worker.id() != instance);
        self.returning.remove(&instance);
    }
}

/// Assigns the job to the last slot whose call still waits. Returns it when there is none.
fn assign(slots: &mut Vec<Slot>, mut job: Job) -> Option<Job> {
    while let Some(slot) = slots.pop() {
        match slot.worker.assign(job, slot.call) {
            Ok(()) => return None,
            Err(back) => job = back,
        }
    }
    Some(job)
}

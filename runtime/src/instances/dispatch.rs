//! Who gets the next invocation of one function: a waiting instance, a new one, or the queue.
//!
//! Every method decides under one short lock, and returns what the caller has to do (start a process, answer an error). Not pure: an
//! instance that receives a job notes the time and sends the job over its channel while the lock is held; neither waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::instance::Instance;
use crate::faults::Kill;
use crate::invocation::{Outcome, Rejected};

/// How an accepted invocation ended; an error where it was never begun.
pub(super) type Reply = Result<Outcome, Rejected>;

/// An accepted invocation.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request_id: Arc<str>,
    pub(super) payload: Bytes,
    pub(super) trace_id: String,
    /// JSON, in ASCII.
    pub(super) client_context: Option<Arc<str>>,
    /// Version or alias that the caller named.
    pub(super) qualifier: Option<String>,
    pub(super) records: usize,
    pub(super) kill: Option<Kill>,
    /// Its caller waits for a busy instance rather than be refused.
    pub(super) waits: bool,
    /// Notified when an instance has it.
    pub(super) begun: Option<Arc<Notify>>,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What a waiting `next` call receives.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) request_id: Arc<str>,
    pub(super) invocation_id: String,
    pub(super) deadline_ms: u64,
    pub(super) trace_id: String,
    pub(super) client_context: Option<Arc<str>>,
    pub(super) qualifier: Option<String>,
    pub(super) payload: Bytes,
}

/// A `next` call that waits. One per event that the process can take at the same time.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) instance: Arc<Instance>,
    pub(super) hand: oneshot::Sender<Assignment>,
}

/// What became of a submitted job.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Submitted {
    /// An instance has it.
    Handed,
    /// It waits for an instance.
    Queued,
    /// It waits, and the caller has to start an instance under this number.
    Start(u64),
    /// Refused at the limit.
    Throttled,
    /// Refused: the host is draining.
    Draining,
}

/// What a change of the limit asks of the caller.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Idle instances that are too many now.
    pub(super) beyond: Vec<Arc<Instance>>,
    /// Numbers of instances to start for jobs that wait.
    pub(super) start: Vec<u64>,
}

#[derive(Debug, Default)]
struct State {
    limit: usize,
    /// Last in, first out: the warmest instance works, the others may go idle and retire.
    idle: Vec<Slot>,
    /// First in, first out.
    queue: VecDeque<Job>,
    /// Every process, starting ones (still without a handle) included.
    instances: BTreeMap<u64, Option<Arc<Instance>>>,
    starting: usize,
    /// Instances that just answered: they ask for the next event within a moment, sooner than a new one could start.
    returning: BTreeSet<u64>,
    draining: bool,
    next_instance: u64,
}

/// The dispatcher of one function.
#[derive(Debug)]
pub(super) struct Dispatch {
    state: Mutex<State>,
    /// Notifies those who wait for room.
    freed: Notify,
}

impl Dispatch {
    /// `limit`: most processes at one time.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                limit,
                ..State::default()
            }),
            freed: Notify::new(),
        }
    }

    /// Changes the limit. Busy instances beyond it are told when they ask for more.
    pub(super) fn limit(&self, most: NonZeroUsize) -> Changed {
        let mut state = self.state();
        state.limit = most.get();
        let mut change = Changed::default();
        while let Some(id) = state.cover() {
            change.start.push(id);
        }
        // the longest idle first
        let many = state.instances.len().saturating_sub(state.limit);
        let mut idle = state.idle.iter().map(|slot| &slot.instance);
        while change.beyond.len() < many
            && let Some(instance) = idle.next()
        {
            if !change.beyond.iter().any(|known| known.id == instance.id) {
                change.beyond.push(instance.clone());
            }
        }
        drop(idle);
        drop(state);
        self.freed.notify_waiters();
        change
    }

    /// Processes at one time at most.
    pub(super) fn most(&self) -> usize {
        self.state().limit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job. One that waits is queued at the limit rather than refused, unless the limit is 0.
    pub(super) fn submit(&self, job: Job) -> Submitted {
        let mut state = self.state();
        if state.draining {
            return Submitted::Draining;
        }
        if state.limit == 0 {
            // nobody would ever take it from the queue
            return Submitted::Throttled;
        }
        // those who wait came first
        let job = if state.queue.is_empty() {
            match hand_over(&mut state.idle, job) {
                None => return Submitted::Handed,
                Some(job) => job,
            }
        } else {
            job
        };
        let covered = state.expected() > state.queue.len();
        if !covered && state.instances.len() < state.limit {
            state.queue.push_back(job);
            return Submitted::Start(state.announce());
        }
        if covered || job.waits {
            state.queue.push_back(job);
            return Submitted::Queued;
        }
        Submitted::Throttled
    }

    /// Takes a job back that waits for busy instances. False: an instance has it, or is being started for it (its initialisation is part of
    /// the invocation), and its outcome will come.
    pub(super) fn take_back(&self, request_id: &str) -> bool {
        let mut state = self.state();
        let waiting = state
            .queue
            .iter()
            .position(|job| &*job.request_id == request_id)
            .filter(|at| *at >= state.starting);
        waiting.and_then(|at| state.queue.remove(at)).is_some()
    }

    /// Waits until a job would find an instance, or one that may be started; or until an instance was freed, for which others wait as
    /// well.
    pub(super) async fn room(&self) {
        let freed = self.freed.notified();
        if !self.state().has_room() {
            freed.await;
        }
    }

    /// An announced instance has its handle.
    pub(super) fn started(&self, instance: &Arc<Instance>) {
        let mut state = self.state();
        state.instances.insert(instance.id, Some(instance.clone()));
    }

    /// An instance finished its initialisation.
    pub(super) fn initialised(&self) {
        let mut state = self.state();
        state.starting = state.starting.saturating_sub(1);
    }

    /// A `next` call arrived: it gets the oldest job or waits.
    pub(super) fn offer(&self, slot: Slot) {
        self.place(slot);
        self.freed.notify_waiters();
    }

    fn place(&self, slot: Slot) {
        let mut state = self.state();
        state.returning.remove(&slot.instance.id);
        if state.instances.len() > state.limit && !slot.instance.is_busy() {
            drop(state);
            // the limit was lowered while it worked
            slot.instance.retire_now();
            return;
        }
        let mut slots = vec![slot];
        while let Some(job) = state.queue.pop_front() {
            if job.reply.is_closed() {
                continue; // its caller gave up
            }
            if let Some(job) = hand_over(&mut slots, job) {
                state.queue.push_front(job);
            }
            return;
        }
        state.idle.append(&mut slots);
    }

    /// An instance ended. Returns the number of one to start if jobs wait that nobody will take.
    /// `never_ready`: it never became ready; the oldest job is answered with that, or a function that cannot start would be
    /// started for ever.
    pub(super) fn ended(
        &self,
        instance: u64,
        initialised: bool,
        never_ready: Option<&dyn Fn(&str) -> Reply>,
    ) -> Option<u64> {
        let mut state = self.state();
        state.instances.remove(&instance);
        state.idle.retain(|slot| slot.instance.id != instance);
        state.returning.remove(&instance);
        if !initialised {
            state.starting = state.starting.saturating_sub(1);
        }
        state.queue.retain(|job| !job.reply.is_closed());
        if let Some(reply) = never_ready
            && let Some(job) = state.queue.pop_front()
        {
            let reply = reply(&job.request_id);
            let _ = job.reply.send(reply);
        }
        let next = state.cover();
        drop(state);
        self.freed.notify_waiters();
        next
    }

    /// The host has no room for an announced instance. Jobs that wait do so for the function's other instances; where there are
    /// none, and for jobs that do not wait, this is the answer. No further instance is announced before one of these ends, or a job
    /// comes.
    pub(super) fn no_room(&self, instance: u64, reply: &dyn Fn() -> Reply) {
        let mut state = self.state();
        state.instances.remove(&instance);
        state.starting = state.starting.saturating_sub(1);
        let alone = state.instances.is_empty();
        let (stay, refused): (VecDeque<Job>, VecDeque<Job>) = std::mem::take(&mut state.queue)
            .into_iter()
            .partition(|job| job.waits && !alone);
        state.queue = stay;
        drop(state);
        for job in refused {
            // one whose caller gave up is not there to receive it
            let _ = job.reply.send(reply());
        }
    }

    /// An instance is about to answer and will ask for its next event.
    pub(super) fn returning(&self, instance: u64) {
        let mut state = self.state();
        // one that ended meanwhile would be waited for in vain
        if state.instances.contains_key(&instance) {
            state.returning.insert(instance);
        }
    }

    /// It has not come back in time. Returns the number of an instance to start in its stead, if jobs wait for it.
    pub(super) fn overdue(&self, instance: u64) -> Option<u64> {
        let mut state = self.state();
        state.returning.remove(&instance);
        state.cover()
    }

    /// Takes an instance's waiting calls away, so that it gets no further job.
    pub(super) fn withdraw(&self, instance: u64) {
        let mut state = self.state();
        state.idle.retain(|slot| slot.instance.id != instance);
        state.returning.remove(&instance);
    }

    /// No job is taken any more; those that wait are dropped, and their callers learn it from the closed channel.
    pub(super) fn drain(&self) {
        let mut state = self.state();
        state.draining = true;
        state.queue.clear();
    }

    /// Lets go of every instance: they hold this dispatcher, too, and neither would ever be freed.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.idle.clear();
        state.instances.clear();
    }

    /// The instance that has been idle longest, and since when.
    pub(super) fn longest_idle(&self) -> Option<(Instant, Arc<Instance>)> {
        let state = self.state();
        let idle = state
            .idle
            .iter()
            .filter_map(|slot| Some((slot.instance.idle_since()?, slot.instance.clone())));
        idle.min_by_key(|(since, _)| *since)
    }

    pub(super) fn instances(&self) -> Vec<Arc<Instance>> {
        self.state().instances.values().flatten().cloned().collect()
    }

    /// Processes of now, those included that are being started.
    pub(super) fn instance_count(&self) -> usize {
        self.state().instances.len()
    }

    pub(super) fn queued(&self) -> usize {
        self.state().queue.len()
    }
}

impl State {
    /// Instances that will ask for an event soon.
    fn expected(&self) -> usize {
        self.starting + self.returning.len()
    }

    /// A job that came now would not wait for a busy instance.
    fn has_room(&self) -> bool {
        let free = !self.idle.is_empty() || self.instances.len() < self.limit;
        self.expected() > self.queue.len() || (free && self.queue.is_empty())
    }

    /// Announces an instance if jobs wait that nobody is expected to take.
    fn cover(&mut self) -> Option<u64> {
        let uncovered = self.queue.len() > self.expected();
        (uncovered && self.instances.len() < self.limit && !self.draining).then(|| self.announce())
    }

    fn announce(&mut self) -> u64 {
        self.next_instance += 1;
        self.starting += 1;
        self.instances.insert(self.next_instance, None);
        self.next_instance
    }
}

/// Gives the job to the last slot whose process still listens. Gives it back when there is none.
fn hand_over(slots: &mut Vec<Slot>, mut job: Job) -> Option<Job> {
    while let Some(slot) = slots.pop() {
        match slot.instance.clone().assign(job, slot.hand) {
            Ok(()) => return None,
            Err(back) => job = back,
        }
    }
    Some(job)
}

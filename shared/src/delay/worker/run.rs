//! The worker's loop: one task that owns all state, and starts everything that takes time as another.
//!
//! In flight are at most one claim, one carrying out of ends and one renewal of leases, side by side, and as many handlers as there
//! is room for. A claimed entry takes up room until its end is carried out.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::agenda::{Agenda, room};
use super::alarm::Alarm;
use super::clock::RedisClock;
use super::ends::{End, carry_out};
use super::job::{Handle, Job};
use super::settings::WorkerSettings;
use super::verdict::{Verdict, to_renew, verdict, worn_out};
use super::wakes::{Wake, listen};
use crate::delay::{Claim, Claimed, DelayQueue, Fenced};
use crate::link::LinkError;
use lambda_batch::{Backoff, Outcome, Reason};

/// How often it looks at all shards while wakes cannot be heard.
const DEAF_LOOK: Duration = Duration::from_millis(100);
/// An entry that cannot be put aside, since too many are, is handled again after so long, in ms.
const FULL_PAUSE_MS: u64 = 60_000;
/// Wakes that wait for the loop; more wait in Redis.
const WAKES: usize = 1024;
/// Pauses while Redis does not answer.
const AWAY: Backoff = Backoff {
    base: Duration::from_millis(20),
    cap: Duration::from_secs(1),
    max_attempts: None,
};

/// What a worker has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries acknowledged.
    pub done: u64,
    /// Entries given back for another attempt.
    pub retried: u64,
    /// Entries put aside.
    pub parked: u64,
    /// Ends that came too late: the entry was another's by then, or cancelled, or rescheduled. Nothing was changed.
    pub late: u64,
    /// Handlers stopped because their lease was lost.
    pub lost: u64,
    /// Handlers that still ran when the time to drain was over; their entries are due again when their leases end.
    pub left: u64,
}

struct Held {
    claim: Claim,
    /// When its lease was last known to begin anew.
    renewed: Instant,
    handler: AbortHandle,
}

enum Answer {
    Claimed {
        asked: Instant,
        answered: Instant,
        result: Result<Claimed, LinkError>,
    },
    Ended {
        ends: Vec<End>,
        result: Result<Vec<Fenced>, LinkError>,
    },
    Renewed {
        asked: Instant,
        handlers: Vec<Id>,
        result: Result<Vec<Fenced>, LinkError>,
    },
}

struct Loop<H> {
    queue: DelayQueue,
    settings: WorkerSettings,
    handler: Arc<H>,
    /// The local clock counts from here.
    began: Instant,
    agenda: Agenda,
    clock: RedisClock,
    /// Round trips under way.
    calls: JoinSet<Answer>,
    claiming: bool,
    renewing: bool,
    /// How many ends are being carried out.
    ending: usize,
    handlers: JoinSet<Outcome>,
    held: HashMap<Id, Held>,
    /// Ends that wait to be carried out.
    ends: Vec<End>,
    /// How often in a row Redis did not answer, and until when it is left alone.
    failures: u32,
    quiet_until: Option<Instant>,
    deaf: bool,
    look_at: Instant,
    /// Until when it drains, once told to stop.
    drain_until: Option<Instant>,
    tally: Tally,
}

pub(super) async fn run<H: Handle>(
    queue: DelayQueue,
    settings: WorkerSettings,
    handler: Arc<H>,
    stop: impl Future<Output = ()>,
) -> Tally {
    let mut stop = pin!(stop);
    let alarm = Alarm::new();
    let (out, mut wakes) = mpsc::channel(WAKES);
    // In a set, so that it ends with this future.
    let mut listener = JoinSet::new();
    listener.spawn(listen(queue.clone(), settings.shards.clone(), out));
    let mut renewal = tokio::time::interval(settings.lease / 6);
    renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut this = Loop::new(queue, settings, handler);
    loop {
        this.step();
        if this.is_over() {
            return this.tally;
        }
        alarm.set(this.next_alarm());
        tokio::select! {
            Some(answer) = this.calls.join_next() => this.answered(answer),
            Some(finished) = this.handlers.join_next_with_id() => {
                this.finished(finished);
                while let Some(finished) = this.handlers.try_join_next_with_id() {
                    this.finished(finished);
                }
            }
            Some(wake) = wakes.recv() => this.woken(wake),
            () = alarm.rang() => {}
            _ = renewal.tick() => this.renew(),
            () = sleep_until(this.look_at) => this.look(),
            () = until(this.quiet_until) => this.quiet_until = None,
            () = &mut stop, if this.drain_until.is_none() => this.drain_until = Some(Instant::now() + this.settings.drain),
            () = until(this.drain_until) => {
                this.tally.left = this.held.len() as u64;
                return this.tally;
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

impl<H: Handle> Loop<H> {
    fn new(queue: DelayQueue, settings: WorkerSettings, handler: Arc<H>) -> Self {
        let began = Instant::now();
        Self {
            agenda: Agenda::new(&settings.shards),
            queue,
            settings,
            handler,
            began,
            clock: RedisClock::default(),
            calls: JoinSet::new(),
            claiming: false,
            renewing: false,
            ending: 0,
            handlers: JoinSet::new(),
            held: HashMap::new(),
            ends: Vec::new(),
            failures: 0,
            quiet_until: None,
            deaf: true,
            look_at: began + DEAF_LOOK,
            drain_until: None,
            tally: Tally::default(),
        }
    }

    /// Told to stop, and nothing is left to do. What could not be ended because Redis is away is tried as long as draining lasts.
    fn is_over(&self) -> bool {
        self.drain_until.is_some()
            && self.held.is_empty()
            && self.ends.is_empty()
            && self.ending == 0
            && !self.claiming
    }

    fn micros(&self, time: Instant) -> u64 {
        time.duration_since(self.began).as_micros() as u64
    }

    /// Permits left.
    fn room(&self) -> usize {
        room(
            self.settings.at_once,
            self.held.len() + self.ends.len() + self.ending,
            self.settings.batch,
        )
    }

    /// Starts what can be started.
    fn step(&mut self) {
        if self.quiet_until.is_some() {
            return;
        }
        if self.ending == 0 && !self.ends.is_empty() {
            let queue = self.queue.clone();
            let ends = std::mem::take(&mut self.ends);
            self.ending = ends.len();
            self.calls.spawn(async move {
                Answer::Ended {
                    result: carry_out(&queue, &ends).await,
                    ends,
                }
            });
        }
        let room = self.room();
        if self.claiming || self.drain_until.is_some() || room == 0 {
            return;
        }
        let shards = self
            .agenda
            .ask(self.clock.reached_ms(self.micros(Instant::now())));
        if !shards.is_empty() {
            self.claiming = true;
            let queue = self.queue.clone();
            let lease_ms = self.settings.lease.as_millis() as u64;
            self.calls.spawn(async move {
                let asked = Instant::now();
                let result = queue.claim(&shards, room, lease_ms).await;
                Answer::Claimed {
                    asked,
                    answered: Instant::now(),
                    result,
                }
            });
        }
    }

    /// When there will be something to claim. Nothing while the next step does not depend on time.
    fn next_alarm(&self) -> Option<std::time::Instant> {
        if self.claiming
            || self.quiet_until.is_some()
            || self.drain_until.is_some()
            || self.room() == 0
        {
            return None;
        }
        let local = self
            .clock
            .local_of(self.agenda.next_ms()?, self.micros(Instant::now()))?;
        // A time beyond all bounds of the clock is no time to wake at.
        self.began
            .checked_add(Duration::from_micros(local))
            .map(Instant::into_std)
    }

    fn answered(&mut self, answer: Result<Answer, JoinError>) {
        let answer = answer.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => unreachable!("nobody stops a round trip: {error}"),
        });
        match answer {
            Answer::Claimed {
                asked,
                answered,
                result,
            } => {
                self.claiming = false;
                let result = self.heard_from_redis(result);
                self.agenda.answered(
                    result
                        .as_ref()
                        .map_or(&[][..], |claimed| claimed.next.as_slice()),
                );
                if let Some(claimed) = result {
                    self.clock
                        .learn(self.micros(asked), self.micros(answered), claimed.now_us);
                    claimed
                        .claims
                        .into_iter()
                        .for_each(|claim| self.begin(claim, asked));
                }
            }
            Answer::Ended { ends, result } => {
                self.ending = 0;
                match self.heard_from_redis(result) {
                    Some(fenced) => ends
                        .iter()
                        .zip(fenced)
                        .for_each(|(end, fenced)| self.ended(end, fenced)),
                    None => self.ends.extend(ends.into_iter().map(|end| End {
                        unsure: true,
                        ..end
                    })),
                }
            }
            Answer::Renewed {
                asked,
                handlers,
                result,
            } => {
                self.renewing = false;
                for (id, fenced) in handlers
                    .iter()
                    .zip(self.heard_from_redis(result).unwrap_or_default())
                {
                    self.renewed(*id, asked, fenced);
                }
            }
        }
    }

    /// Takes note of whether Redis answers; while it does not, it is left alone for a while.
    fn heard_from_redis<T>(&mut self, result: Result<T, LinkError>) -> Option<T> {
        match result {
            Ok(answer) => {
                self.failures = 0;
                Some(answer)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                tracing::warn!(queue = self.queue.name(), %error, failures = self.failures, "redis does not do as asked; trying again");
                let pause = AWAY
                    .delay(self.failures, rand::random())
                    .unwrap_or(AWAY.cap);
                self.quiet_until = Some(Instant::now() + pause);
                None
            }
        }
    }

    /// A claimed entry goes to a handler, unless its attempts are used up.
    fn begin(&mut self, mut claim: Claim, asked: Instant) {
        if let Some(verdict) = worn_out(claim.attempt, &self.settings.backoff) {
            self.ends.push(End {
                claim,
                verdict,
                unsure: false,
            });
            return;
        }
        let body = std::mem::take(&mut claim.body);
        let job = Job {
            shard: claim.shard,
            id: claim.id.clone(),
            body,
            attempt: claim.attempt,
            due_ms: claim.due_ms,
        };
        let handler = self.handler.clone();
        let handler = self
            .handlers
            .spawn(async move { handler.handle(job).await });
        self.held.insert(
            handler.id(),
            Held {
                claim,
                renewed: asked,
                handler,
            },
        );
    }

    fn finished(&mut self, finished: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match finished {
            Ok(finished) => finished,
            Err(error) => (
                error.id(),
                Outcome::Retry(Reason::new(format_args!(
                    "the handler did not end well: {error}"
                ))),
            ),
        };
        // One that is not held any more has lost its lease, and was stopped for it.
        if let Some(Held { claim, .. }) = self.held.remove(&id) {
            let verdict = verdict(
                outcome,
                claim.attempt,
                &self.settings.backoff,
                rand::random(),
            );
            self.ends.push(End {
                claim,
                verdict,
                unsure: false,
            });
        }
    }

    fn ended(&mut self, end: &End, fenced: Fenced) {
        let queue = self.queue.name();
        let id = &end.claim.id;
        let attempt = end.claim.attempt;
        match (&end.verdict, fenced) {
            (_, Fenced::Stale) if end.unsure => {}
            (_, Fenced::Stale) => {
                tracing::warn!(
                    queue,
                    id,
                    attempt,
                    "its end came too late: the entry was not this worker's any more"
                );
                self.tally.late += 1;
                return;
            }
            // Nothing is lost: the entry stays, and is tried again rarely.
            (_, Fenced::Full) => {
                tracing::error!(
                    alarm = "parked_full",
                    queue,
                    id,
                    attempt,
                    "not put aside, too many are; tried again later. Replay or drop entries of this queue"
                );
                self.ends.push(End {
                    claim: end.claim.clone(),
                    verdict: Verdict::Retry {
                        pause_ms: FULL_PAUSE_MS,
                    },
                    unsure: false,
                });
                return;
            }
            (Verdict::Park(reason), Fenced::Done) => {
                tracing::error!(alarm = "entry_parked", queue, id, attempt, %reason, "put aside");
            }
            _ => {}
        }
        match end.verdict {
            Verdict::Ack => self.tally.done += 1,
            Verdict::Retry { .. } => self.tally.retried += 1,
            Verdict::Park(_) => self.tally.parked += 1,
        }
    }

    /// Extends the leases of slow handlers.
    fn renew(&mut self) {
        let now = Instant::now();
        let old = |held: &Held| to_renew(now.duration_since(held.renewed), self.settings.lease);
        let (handlers, claims): (Vec<Id>, Vec<Claim>) = self
            .held
            .iter()
            .filter(|(_, held)| old(held))
            .map(|(id, held)| (*id, held.claim.clone()))
            .unzip();
        if handlers.is_empty() || self.renewing {
            return;
        }
        self.renewing = true;
        let queue = self.queue.clone();
        let lease_ms = self.settings.lease.as_millis() as u64;
        self.calls.spawn(async move {
            let asked = Instant::now();
            Answer::Renewed {
                asked,
                handlers,
                result: queue.extend_many(&claims, lease_ms).await,
            }
        });
    }

    fn renewed(&mut self, id: Id, asked: Instant, fenced: Fenced) {
        match fenced {
            Fenced::Done => {
                if let Some(held) = self.held.get_mut(&id) {
                    held.renewed = asked;
                }
            }
            Fenced::Stale | Fenced::Full => {
                // Unless it has just ended: then its end says what became of it.
                if let Some(held) = self.held.remove(&id) {
                    tracing::info!(
                        queue = self.queue.name(),
                        id = held.claim.id,
                        "its handler is stopped: the entry is not its any more"
                    );
                    held.handler.abort();
                    self.tally.lost += 1;
                }
            }
        }
    }

    fn woken(&mut self, wake: Wake) {
        match wake {
            Wake::Earlier(shard, due_ms) => self.agenda.heard(shard, due_ms),
            Wake::Listening => {
                self.deaf = false;
                self.look();
            }
            Wake::Deaf => {
                self.deaf = true;
                self.look();
            }
        }
    }

    /// Everything may have changed unheard.
    fn look(&mut self) {
        self.agenda.forget();
        let pause = if self.deaf {
            self.settings.look_every.min(DEAF_LOOK)
        } else {
            self.settings.look_every
        };
        self.look_at = Instant::now() + pause;
    }
}

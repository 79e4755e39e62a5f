//! The actions of the system: which begin when, and what each changes.

use crate::action::{Action, Outcome};
use crate::database::Refund;
use crate::explore::Machine;
use crate::properties;
use crate::scenario::Scenario;
use crate::state::{Header, Kind, State, Step, Task};
use crate::steps::run;

/// The system within the bounds of a scenario.
#[derive(Debug, Clone)]
pub struct System {
    /// The scenario.
    pub scenario: Scenario,
}

impl System {
    fn begin(state: &mut State, kind: Kind, steps: Vec<Step>) {
        // The lowest identity that no process, lease, refund or header has.
        let has = |id: u8| {
            state.tasks.iter().any(|task| task.id == id)
                || state.redis.leases.values().any(|token| *token == id)
                || state.db.refunds.contains(&Refund::HandedOut(id))
                || matches!(state.redis.header, Header::Loading { loader, .. } if loader == id)
        };
        let id = match kind {
            Kind::Closer | Kind::Loader | Kind::Refunder => {
                (1..u8::MAX).find(|id| !has(*id)).unwrap_or(u8::MAX)
            }
            _ => 0,
        };
        let steps = steps.into_iter().map(|step| with_id(step, id)).collect();
        state.tasks.push(Task { kind, id, steps });
    }
}

fn with_id(step: Step, id: u8) -> Step {
    match step {
        Step::CloseDue(order, _, handled) => Step::CloseDue(order, id, handled),
        Step::Begin(_, grant) => Step::Begin(id, grant),
        Step::Return(payment, _) => Step::Return(payment, id),
        step => step,
    }
}

impl Machine for System {
    type State = State;
    type Action = Action;

    fn first(&self) -> State {
        State::first(&self.scenario)
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (n, task) in state.tasks.iter().enumerate() {
            let n = n as u8;
            actions.push(Action::Run(n, Outcome::Done));
            if let Some(Step::Publish(..)) = task.steps.last() {
                if self.scenario.refused {
                    actions.push(Action::Run(n, Outcome::Refused));
                }
                if self.scenario.unknown {
                    actions.push(Action::Run(n, Outcome::Unknown));
                }
            }
            if state.left[0] > 0 {
                actions.push(Action::Crash(n));
            }
        }
        self.requests(state, actions);
        self.creation(state, actions);
        self.ticks(state, actions);
        if state.left[1] > 0 {
            actions.push(Action::Lose);
        }
        if state.left[2] > 0 {
            let failover = if state.replica.is_some() {
                Action::FailOver
            } else {
                Action::Lag
            };
            actions.push(failover);
        }
    }

    fn after(&self, state: &State, action: Action) -> State {
        let scenario = &self.scenario;
        let mut next = state.clone();
        match action {
            Action::Run(n, outcome) => run(scenario, &mut next, usize::from(n), outcome),
            Action::Crash(n) => {
                next.left[0] -= 1;
                next.tasks.remove(usize::from(n));
            }
            Action::Request(order) => {
                next.begun.0 |= 1 << order;
                Self::begin(&mut next, Kind::Request, vec![Step::Reserve(order)]);
            }
            Action::Cancel(n) => {
                next.begun.1 |= 1 << n;
                let order = scenario.cancels[usize::from(n)];
                Self::begin(&mut next, Kind::Cancel, vec![Step::Cancel(order)]);
            }
            Action::Pay(n) => {
                next.begun.2 |= 1 << n;
                Self::begin(&mut next, Kind::Payment, vec![Step::Pay(n)]);
            }
            Action::Refund(n) => {
                next.begun.3 |= 1 << n;
                let number = scenario.refunds[usize::from(n)];
                next.db.request_refund(scenario, number);
            }
            Action::RequestRefunds => next.db.request_refunds(),
            Action::HandOut(payment) | Action::HandOutAgain(payment) => {
                Self::begin(&mut next, Kind::Refunder, vec![Step::Return(payment, 0)]);
                let token = next.tasks.last().map_or(0, |task| task.id);
                next.db.hand_out(payment, token);
            }
            Action::Land(order) | Action::Drop(order) => {
                if let Some(at) = next.in_flight.iter().position(|one| *one == order) {
                    next.in_flight.remove(at);
                }
                if let Action::Land(_) = action {
                    next.log.push((order, false));
                }
            }
            Action::Deliver(record) | Action::Redeliver(record) => {
                next.left[3] -= u8::from(action == Action::Redeliver(record));
                Self::begin(&mut next, Kind::Creator, vec![Step::Store(record)]);
            }
            Action::Late(order) => match next.db.rows.get_mut(&scenario.spec(order).number) {
                Some(row) => row.late = true,
                None => next.late |= 1 << order,
            },
            Action::Claim(number) => {
                let owner = (number, next.redis.gate.entries[&number]);
                if let Some(order) = scenario.find(owner, &next.redis.gate) {
                    let first = Step::CloseDue(order, 0, None);
                    Self::begin(&mut next, Kind::Closer, vec![first]);
                    let token = next.tasks.last().map_or(0, |task| task.id);
                    next.redis.leases.insert(number, token);
                }
            }
            Action::Overdue(number) => next.db.sweep_overdue(scenario, number),
            Action::Adopt(batch) => next.db.adopt(batch),
            Action::Match(number) => drop(next.db.match_payments(scenario, number)),
            Action::Dirty(number) => {
                if let Some(row) = next.row(number) {
                    Self::begin(&mut next, Kind::Sweep, vec![Step::Settle(row, None)]);
                }
            }
            Action::Audit(seat) | Action::AuditAgain(seat) => {
                let owner = next.redis.gate.owners.get(&seat);
                let owner = owner.and_then(|owner| scenario.find(*owner, &next.redis.gate));
                Self::begin(&mut next, Kind::Audit, vec![Step::AuditRows(seat, owner)]);
            }
            Action::AuditTickets(user, number) | Action::AuditTicketsAgain(user, number) => {
                let seen = next.redis.gate.tickets.get(&(user, number)).copied();
                let read = Step::TicketRow(user, number, seen);
                Self::begin(&mut next, Kind::Audit, vec![read]);
            }
            Action::Fill => Self::begin(&mut next, Kind::Loader, vec![Step::Begin(0, None)]),
            Action::Lose => {
                next.left[1] -= 1;
                next.losses += 1;
                let State { redis, .. } = State::first(scenario);
                next.redis = redis;
                next.redis.header = Header::Absent;
            }
            Action::Lag => next.replica = Some(Box::new(next.redis.clone())),
            Action::FailOver => {
                next.left[2] -= 1;
                next.losses += 1;
                next.server += 1;
                if let Some(replica) = next.replica.take() {
                    next.redis = *replica;
                }
            }
        }
        next.tasks.retain(|task| !task.steps.is_empty());
        next.tasks.sort_by_key(|task| (task.kind, task.id));
        next.in_flight.sort_unstable();
        next
    }

    fn is_duty(&self, action: Action) -> bool {
        match action {
            Action::Run(_, outcome) => outcome == Outcome::Done,
            Action::Crash(_)
            | Action::Request(_)
            | Action::Cancel(_)
            | Action::Pay(_)
            | Action::Refund(_)
            | Action::HandOutAgain(_)
            | Action::Redeliver(_)
            | Action::AuditAgain(_)
            | Action::AuditTicketsAgain(..)
            | Action::Lose
            | Action::Lag
            | Action::FailOver => false,
            Action::Deliver(_)
            | Action::Land(_)
            | Action::Drop(_)
            | Action::Late(_)
            | Action::Claim(_)
            | Action::Overdue(_)
            | Action::Adopt(_)
            | Action::Match(_)
            | Action::Dirty(_)
            | Action::RequestRefunds
            | Action::HandOut(_)
            | Action::Audit(_)
            | Action::AuditTickets(..)
            | Action::Fill => true,
        }
    }

    fn broken(&self, before: &State, after: &State) -> Option<&'static str> {
        properties::broken(&self.scenario, before, after)
    }

    fn unsettled(&self, state: &State) -> Option<&'static str> {
        properties::unsettled(&self.scenario, state)
    }

    fn describe(&self, state: &State, action: Action) -> String {
        match action {
            Action::Run(n, outcome) => {
                let task = &state.tasks[usize::from(n)];
                let step = task.steps.last();
                let step = step.map_or_else(String::new, |step| format!("{step:?}"));
                let outcome = match outcome {
                    Outcome::Done => "",
                    Outcome::Refused => " (refused)",
                    Outcome::Unknown => " (outcome unknown)",
                };
                format!("{:?}{} {step}{outcome}", task.kind, task.id)
            }
            Action::Crash(n) => {
                let task = &state.tasks[usize::from(n)];
                format!(
                    "{:?}{} is killed before {:?}",
                    task.kind,
                    task.id,
                    task.steps.last()
                )
            }
            other => format!("{other:?}"),
        }
    }
}

//! The actions of the system: which begin when, and what each changes.

use shared::sale::Status;

use crate::action::{Action, Outcome};
use crate::explore::Machine;
use crate::gate::{Number, ResvState, Seat};
use crate::properties;
use crate::protections::Protection;
use crate::scenario::{OrderId, Scenario};
use crate::state::{Header, Kind, State, Step, Task};
use crate::steps::run;

/// The system within the bounds of a scenario.
#[derive(Debug, Clone)]
pub struct System {
    /// The scenario.
    pub scenario: Scenario,
}

impl System {
    fn may_begin(&self, state: &State, kind: Kind) -> bool {
        let is_alone = matches!(kind, Kind::Sweep | Kind::Audit);
        let runs = state.tasks.iter().any(|task| task.kind == kind);
        state.tasks.len() < self.scenario.processes && !(is_alone && runs)
    }

    fn begin(state: &mut State, kind: Kind, steps: Vec<Step>) {
        // The lowest identity that no process, lease or header has.
        let has = |id: u8| {
            state.tasks.iter().any(|task| task.id == id)
                || state.redis.leases.values().any(|token| *token == id)
                || matches!(state.redis.header, Header::Loading { loader, .. } if loader == id)
        };
        let id = match kind {
            Kind::Closer | Kind::Loader => (1..u8::MAX).find(|id| !has(*id)).unwrap_or(u8::MAX),
            _ => 0,
        };
        let steps = steps.into_iter().map(|step| with_id(step, id)).collect();
        state.tasks.push(Task { kind, id, steps });
    }

    /// Whether a timeout entry may be claimed: that of an unpublished reservation at any time, that
    /// of a published one when payment is due.
    fn is_due(&self, state: &State, number: Number) -> bool {
        let Some(nonce) = state.redis.gate.entries.get(&number) else {
            return false;
        };
        let owner = (number, *nonce);
        let Some(order) = self.scenario.find(owner, &state.redis.gate) else {
            return false;
        };
        if let Some(row) = state.row(number) {
            return row.late || row.status != Status::Unpaid || row.order != order;
        }
        let resv = state.redis.gate.reservation(owner);
        let is_published = resv.is_some_and(|resv| matches!(resv.state, ResvState::Accepted(_)));
        !is_published || state.late & 1 << order != 0
    }

    /// Whether an audit of the seat would change something, if it read all at once.
    fn is_different(&self, state: &State, seat: Seat) -> bool {
        let gate = &state.redis.gate;
        let Some(owner) = gate.owners.get(&seat) else {
            return state.db.holders.iter().any(|(of, _)| *of == seat);
        };
        match state.row(owner.0) {
            Some(row) => self.scenario.owner(row.order) != *owner || !row.status.is_live(),
            None => !gate.entries.contains_key(&owner.0),
        }
    }

    fn requests(&self, state: &State, actions: &mut Vec<Action>) {
        let scenario = &self.scenario;
        for order in scenario.ids() {
            let is_next = !scenario.symmetric || state.begun.0 + 1 == 1 << order;
            if state.begun.0 & 1 << order == 0
                && is_next
                && state.is_open()
                && self.may_begin(state, Kind::Request)
            {
                actions.push(Action::Request(order));
            }
        }
        for (n, order) in scenario.cancels.iter().enumerate() {
            if state.begun.1 & 1 << n == 0
                && state.begun.0 & 1 << order != 0
                && self.may_begin(state, Kind::Cancel)
            {
                actions.push(Action::Cancel(n as OrderId));
            }
        }
        for n in 0..scenario.payments.len() as u8 {
            if state.begun.2 & 1 << n == 0
                && state.begun.0 != 0
                && self.may_begin(state, Kind::Payment)
            {
                actions.push(Action::Pay(n));
            }
        }
    }

    fn creation(&self, state: &State, actions: &mut Vec<Action>) {
        let mut landed = None;
        for order in &state.in_flight {
            if landed != Some(*order) {
                actions.extend([Action::Land(*order), Action::Drop(*order)]);
                landed = Some(*order);
            }
        }
        if self.may_begin(state, Kind::Creator) {
            for (n, (_, handled)) in state.log.iter().enumerate() {
                match (handled, state.left[3]) {
                    (false, _) => actions.push(Action::Deliver(n as u8)),
                    (true, 0) => {}
                    (true, _) => actions.push(Action::Redeliver(n as u8)),
                }
            }
        }
        let orders = self.scenario.ids().filter(|_| self.scenario.time_passes);
        for order in orders {
            let row = state.row(self.scenario.spec(order).number);
            let may_be_late = match row {
                Some(row) => row.order == order && row.status == Status::Unpaid && !row.late,
                None => state.late & 1 << order == 0 && state.is_in_progress(&self.scenario, order),
            };
            if may_be_late {
                actions.push(Action::Late(order));
            }
        }
    }

    fn ticks(&self, state: &State, actions: &mut Vec<Action>) {
        let scenario = &self.scenario;
        if scenario.time_passes && self.may_begin(state, Kind::Closer) {
            let entries = state.redis.gate.entries.keys();
            let due = entries.filter(|number| self.is_due(state, **number));
            actions.extend(due.map(|number| Action::Claim(*number)));
        }
        if !state.is_open() && self.may_begin(state, Kind::Loader) {
            actions.push(Action::Fill);
        }
        if scenario.kept.has(Protection::Sweep) {
            for (number, row) in &state.db.rows {
                if row.status == Status::Unpaid && row.late {
                    actions.push(Action::Overdue(*number));
                }
                if state.db.is_waited_for(scenario, *number) {
                    actions.push(Action::Match(*number));
                }
                if row.dirty && self.may_begin(state, Kind::Sweep) {
                    actions.push(Action::Dirty(*number));
                }
            }
            actions.extend(state.db.batches.iter().map(|batch| Action::Adopt(*batch)));
        }
        if scenario.audits
            && scenario.kept.has(Protection::Audit)
            && state.is_open()
            && self.may_begin(state, Kind::Audit)
        {
            let owned = state.redis.gate.owners.keys().copied();
            let mut seats: Vec<Seat> = owned.collect();
            seats.extend(state.db.holders.iter().map(|(seat, _)| *seat));
            seats.sort_unstable();
            seats.dedup();
            actions.extend(seats.into_iter().map(|seat| {
                if self.is_different(state, seat) {
                    Action::Audit(seat)
                } else {
                    Action::AuditAgain(seat)
                }
            }));
        }
    }
}

fn with_id(step: Step, id: u8) -> Step {
    match step {
        Step::CloseDue(order, _, handled) => Step::CloseDue(order, id, handled),
        Step::Begin(_, grant) => Step::Begin(id, grant),
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
            | Action::Redeliver(_)
            | Action::AuditAgain(_)
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
            | Action::Audit(_)
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

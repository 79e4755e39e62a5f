//! Trials: sales under faults that are fixed, instead of drawn from a seed. Pure.
//! docs/reference/trials.md lists all trials.

use std::time::Duration;

use crate::kind::Kind;
use crate::place::Server;
use crate::schedule::{Fault, Plan};

/// Time to pay in a trial, so that short faults are longer than it.
const PAY_WINDOW: Duration = Duration::from_secs(5);
/// How often the faults of a long trial are repeated.
const ROUNDS: u32 = 5;

/// The names of all trials.
pub const TRIALS: [&str; 6] = [
    "gate-away",
    "gate-emptied",
    "clocks-apart",
    "rebalance",
    "order-create-stopped",
    "database-killed",
];

/// A trial by its name. The long form takes minutes.
pub fn trial(name: &str, is_long: bool) -> Option<Plan> {
    let plan = match name {
        "gate-away" => {
            // Longer than the time to pay.
            let away = if is_long { 60_000 } else { 7000 };
            plan(
                away + 9000,
                &[
                    (1000, Kind::FlushScripts, 0),
                    (1500, Kind::OutOfMemory, 1500),
                    (3500, Kind::KillServer(Server::Gate), away),
                    (away + 6000, Kind::GateFailover, 0),
                ],
            )
        }
        "gate-emptied" => plan(
            7000,
            &[
                (2000, Kind::FlushGate, 0),
                (2500, Kind::DeleteStreams, 0),
                (4000, Kind::FlushCache, 0),
                (4500, Kind::FlushGate, 0),
            ],
        ),
        "clocks-apart" => plan(8000, &[(0, Kind::ShiftClocks, 8000)]),
        "rebalance" => plan(
            9000,
            &[
                (1000, Kind::KillFunction("OrderCreate"), 0),
                (2000, Kind::KillHost, 500),
                (3000, Kind::AddPartition, 0),
                (4500, Kind::KillServer(Server::Kafka), 500),
                (6500, Kind::KillHost, 500),
            ],
        ),
        "order-create-stopped" => {
            let stopped = PAY_WINDOW.as_millis() as u64 + 3000;
            plan(10_000, &[(1500, Kind::PauseOrderCreate, stopped)])
        }
        "database-killed" => plan(
            8000,
            &[
                (1500, Kind::KillDatabaseInBatch, 500),
                (5000, Kind::KillDatabaseInBatch, 500),
            ],
        ),
        _ => return None,
    };
    let is_repeated = is_long && name != "gate-away";
    Some(repeated(&plan, if is_repeated { ROUNDS } else { 1 }))
}

/// All times are in milliseconds: the begin of a fault, and how long it lasts.
fn plan(duration: u64, faults: &[(u64, Kind, u64)]) -> Plan {
    let fault = |&(at, kind, lasts)| Fault {
        at: Duration::from_millis(at),
        kind,
        lasts: Duration::from_millis(lasts),
    };
    Plan {
        duration: Duration::from_millis(duration),
        pay_window: PAY_WINDOW,
        faults: faults.iter().map(fault).collect(),
    }
}

fn repeated(plan: &Plan, rounds: u32) -> Plan {
    let round = |n| {
        let faults = plan.faults.iter();
        faults.map(move |fault| Fault {
            at: fault.at + plan.duration * n,
            ..*fault
        })
    };
    Plan {
        duration: plan.duration * rounds,
        pay_window: plan.pay_window,
        faults: (0..rounds).flat_map(round).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_has_its_faults_within_its_sale() {
        for (name, is_long) in TRIALS.iter().flat_map(|name| [(name, false), (name, true)]) {
            let plan = trial(name, is_long).expect("a trial");
            let ends = plan.faults.iter().map(|fault| fault.at + fault.lasts);
            assert!(ends.max().is_some_and(|end| end <= plan.duration), "{name}");
        }
    }
}

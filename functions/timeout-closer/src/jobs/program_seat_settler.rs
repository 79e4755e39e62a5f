//! Brings seats that operators added, blocked or unblocked into the gate: the process that changed
//! them ended before the gate had the change, or the gate was away.

use shared::refill::settle_seats;

use super::{JobError, Sweep};

/// A program that fails, or that the gate does not hold, stops no other one.
pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let (gate, store) = (&sweep.closer.gate, &sweep.closer.store);
    let limit = sweep.closer.settings.sweep_limit;
    let (mut after, mut outcome) = (None, Ok(()));
    while !sweep.is_over() {
        let programs = store.dirty_seats(after, limit).await?;
        let Some(last) = programs.last() else { break };
        after = Some(*last);
        for program in &programs {
            match settle_seats(gate, store, *program).await {
                Ok(Some(_)) => sweep.report.settled += 1,
                Ok(None) => sweep.report.unsettled += 1,
                Err(error) => {
                    sweep.report.unsettled += 1;
                    tracing::warn!(
                        %program, %error,
                        "changed seats are not in the gate; the next sweep tries again"
                    );
                    outcome = outcome.and(Err(error.into()));
                }
            }
        }
        if programs.len() < limit as usize {
            break;
        }
    }
    outcome
}

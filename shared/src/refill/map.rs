//! Brings the seats of a program into its map: those that were added, and which of them are blocked.
//! For an open gate, after a change of the program, and for a gate that is being filled.

use super::RefillError;
use crate::gate::{Gate, SeatChanges, SeatsInstalled};
use crate::message::ProgramId;
use crate::store::Store;

/// How often the program is read again because it has changed meanwhile.
const MAX_ROUNDS: u32 = 8;

/// Makes the gate's seats of a program those of Postgres, and clears the dirty flag of that version.
/// `None` if the gate does not hold the program, or the program changes all the time: the flag stays,
/// and the filling or the sweep installs them.
///
/// Runs of several processes may overlap: the map refuses what is older than its own version.
///
/// # Errors
/// Those of Postgres and Redis. The flag stays.
pub async fn settle_seats(
    gate: &Gate,
    store: &Store,
    id: ProgramId,
) -> Result<Option<SeatChanges>, RefillError> {
    for _ in 0..MAX_ROUNDS {
        let Some(seats) = store.program_seats(id).await? else {
            return Ok(None);
        };
        match gate.install_seats(&seats.program, &seats.blocked).await? {
            SeatsInstalled::Done(changes) => {
                if seats.dirty {
                    store.seats_settled(id, seats.program.version).await?;
                }
                return Ok(Some(changes));
            }
            SeatsInstalled::Newer => {}
            SeatsInstalled::Absent => return Ok(None),
        }
    }
    Ok(None)
}

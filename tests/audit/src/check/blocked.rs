//! Blocked seats: the same in Redis as in Postgres.

use super::{Check, Evidence};

/// The codes of blocked seats: free ones, and those that an order still has.
const BLOCKED: [u8; 2] = [b'2', b'4'];

pub(super) fn same_in_both(evidence: &Evidence) -> Check {
    let mut check = Check::new("seats", "Redis blocks the seats that PostgreSQL blocks");
    for program in &evidence.tables.programs {
        let hall = evidence.gate.halls.get(&program.id);
        let Some(hall) = hall.filter(|hall| !hall.head.is_empty()) else {
            continue;
        };
        for category in &program.categories {
            let bytes = hall.seats.get(&category.no).into_iter().flatten().flatten();
            for (seat, byte) in (category.first_seat..).zip(bytes) {
                let blocked = evidence
                    .tables
                    .blocked
                    .contains(&(program.id.clone(), seat));
                check.look(
                    match (BLOCKED.contains(byte), blocked) {
                        (true, false) => Some("is blocked in Redis, but not in PostgreSQL"),
                        (false, true) => Some("is blocked in PostgreSQL, but not in Redis"),
                        _ => None,
                    }
                    .map(|what| format!("program {} seat {seat} {what}", program.id)),
                );
            }
        }
    }
    check
}

//! Blocked seats: the same in Redis as in Postgres.

use super::{Check, Evidence};
use crate::finding::program as about;
use crate::invariant;

/// The codes of blocked seats: free ones, and those that an order still has.
const BLOCKED: [u8; 2] = [b'2', b'4'];

pub(super) fn same_in_both(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::BLOCKED);
    for program in &evidence.tables.programs {
        let hall = evidence.gate.halls.get(&program.id);
        let hall = hall.filter(|hall| !hall.head.is_empty());
        let Some(hall) = hall.filter(|_| !evidence.is_changing(program)) else {
            continue;
        };
        for category in &program.categories {
            let chunks = hall.seats.get(&category.no).into_iter().flatten();
            let bytes = chunks
                .enumerate()
                .flat_map(|(chunk, bytes)| bytes.iter().map(move |byte| (chunk, byte)));
            for (seat, (chunk, byte)) in (category.first_seat..).zip(bytes) {
                let seat_of = (program.id.clone(), seat);
                let blocked = evidence.tables.blocked.contains(&seat_of);
                let what = match (BLOCKED.contains(byte), blocked) {
                    (true, false) => Some("is blocked in Redis, but not in PostgreSQL"),
                    (false, true) => Some("is blocked in PostgreSQL, but not in Redis"),
                    _ => None,
                };
                check.look(what.map(|what| {
                    let text = format!("program {} seat {seat} {what}", program.id);
                    let subject = about(&program.id).category(category.no).chunk(chunk);
                    subject.seat(seat).found(text)
                }));
            }
        }
    }
    check
}

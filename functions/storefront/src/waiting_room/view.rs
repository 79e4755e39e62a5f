//! Answers of a waiting room. Pure.

use std::time::Duration;

use serde_json::json;
use shared::gate::RoomPlace;
use shared::message::AdmissionRate;
use shared::sale::{Program, ProgramStatus, estimated_wait, next_look};

use crate::http::{Problem, Reply};

/// The program has no waiting room: orders need no admission.
pub(super) fn open(program: &Program) -> Reply {
    Reply::ok(json!({ "program": program.id, "state": "open" }))
}

/// A place. `patience`: the time after which it lapses if its buyer does not look.
pub(super) fn place(
    program: &Program,
    rate: AdmissionRate,
    place: RoomPlace,
    patience: Duration,
) -> Result<Reply, Problem> {
    match place {
        RoomPlace::Waiting {
            ticket,
            position,
            paused,
            ..
        } => {
            let ticket = ticket.to_string();
            let path = path(program);
            let wait = estimated_wait(position, rate);
            let pause = next_look(wait, patience.as_secs());
            let body = json!({
                "program": program.id, "state": "waiting", "ticket": ticket, "position": position,
                "estimated_wait_seconds": wait,
                "paused": paused || program.status != ProgramStatus::OnSale,
            });
            let reply = Reply::at(202, format!("{path}?ticket={ticket}"), body);
            Ok(reply.retry_after(u32::try_from(pause).unwrap_or(u32::MAX)))
        }
        RoomPlace::Admitted { ticket, valid } => Ok(Reply::ok(json!({
            "program": program.id, "state": "admitted", "ticket": ticket.to_string(),
            "valid_seconds": valid.as_secs(),
        }))),
        RoomPlace::Full => {
            let detail = "the waiting room has no free place; try again";
            let title = "The waiting room is full";
            Err(Problem::new(503, "waiting_room_full", title, detail).retry_after(30))
        }
        RoomPlace::None => {
            let detail = "you have no place of this ticket: it has lapsed, or was lost; join again";
            Err(Problem::not_found("no_such_place", detail).with("join", path(program)))
        }
    }
}

/// An order of a buyer who is not admitted.
pub(super) fn not_admitted(program: &Program) -> Problem {
    let detail = "this sale admits buyers through its waiting room; join it, and order once you are \
                  admitted";
    Problem::conflict("not_admitted", "You are not admitted", detail).with("join", path(program))
}

fn path(program: &Program) -> String {
    format!("/programs/{}/waiting-room", program.id)
}

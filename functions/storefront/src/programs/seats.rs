//! Seats that operators add to a program, block and unblock, also while it is on sale. Postgres
//! has the change first; then the gate does. If the gate is away or closed, the filling or the sweep
//! brings the change there.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::gate::SeatChanges;
use shared::message::{CategoryNo, ProgramVersion, SeatIndex, UserId};
use shared::refill::settle_seats;
use shared::sale::{BadAddition, MoreRows, Program, SeatAddition, SeatRange, SeatRanges};
use shared::store::{BlockedRange, SeatBlock, SeatsAdded, SeatsBlocked};

use super::change::{publish, reply, version_conflict};
use super::{NewCategoryBody, id_of, missing, no_such_category};
use crate::app::App;
use crate::http::{Call, Problem, Reply, is_line, time};

/// Maximum length of a reason, in characters.
const MAX_REASON: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdditionBody {
    version: ProgramVersion,
    more_rows: Option<MoreRowsBody>,
    #[serde(default)]
    categories: Vec<NewCategoryBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoreRowsBody {
    category: CategoryNo,
    /// How many rows the category has afterwards.
    rows: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockBody {
    seats: Vec<SeatRange>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnblockBody {
    seats: Vec<SeatRange>,
}

/// `POST /programs/{id}/seats`: adds rows or categories if the program still has the version in the
/// body. Buyers can have the seats at once; the sale is not interrupted.
pub async fn add(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("programs:write")?;
    let body: AdditionBody = call.json()?;
    let addition = SeatAddition {
        rows: body.more_rows.map(|more| MoreRows {
            no: more.category,
            rows: more.rows,
        }),
        categories: body.categories.into_iter().map(Into::into).collect(),
    };
    let added = app.store.add_seats(id_of(id)?, body.version, &addition);
    match added.await? {
        SeatsAdded::Done(program) => {
            tracing::info!(
                program = %program.id, version = %program.version, "an operator added seats"
            );
            install(app, &program, call).await;
            Ok(reply(app, &program).await)
        }
        SeatsAdded::VersionDiffers(version) => Err(version_conflict(version)),
        SeatsAdded::Refused(BadAddition::NoSuchCategory(no)) => Err(no_such_category(no)),
        SeatsAdded::Refused(why) => {
            let title = "These seats cannot be added";
            Err(Problem::new(422, "invalid_addition", title, why))
        }
        SeatsAdded::NoSuchProgram => Err(missing(id)),
    }
}

/// `POST /programs/{id}/block`: seats that are not for sale from now on. An order keeps its seats;
/// they are blocked when they become free. Takes no version, so that a broken seat can always be
/// blocked. Idempotent.
pub async fn block(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let by = call.claims.user_with("programs:write")?;
    let BlockBody { seats, reason } = call.json()?;
    let reason = reason.trim();
    if !is_line(reason, MAX_REASON) {
        let detail = format!("reason: 1 to {MAX_REASON} characters on one line are expected");
        return Err(invalid(detail));
    }
    change(
        app,
        id,
        seats,
        SeatBlock::Block { reason, by: &by },
        call,
        &by,
    )
    .await
}

/// `POST /programs/{id}/unblock`: the seats are for sale again. Idempotent.
pub async fn unblock(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let by = call.claims.user_with("programs:write")?;
    let UnblockBody { seats } = call.json()?;
    change(app, id, seats, SeatBlock::Unblock, call, &by).await
}

async fn change(
    app: &App,
    id: &str,
    seats: Vec<SeatRange>,
    to: SeatBlock<'_>,
    call: &Call,
    by: &UserId,
) -> Result<Reply, Problem> {
    let seats = SeatRanges::new(seats).map_err(invalid)?;
    if seats.is_empty() {
        return Err(invalid("seats: at least one range is expected"));
    }
    let (program, changed) = match app.store.block_seats(id_of(id)?, &seats, to).await? {
        SeatsBlocked::Done { program, seats } => (program, seats),
        // The process that changed them may have ended before the gate had the change.
        SeatsBlocked::Already(program) => (program, 0),
        SeatsBlocked::NoSuchSeat(seat) => {
            return Err(
                invalid(format_args!("the program has no seat {seat}")).with("seat", seat.get())
            );
        }
        SeatsBlocked::NoSuchProgram => return Err(missing(id)),
    };
    tracing::info!(
        program = %program.id, version = %program.version, seats = changed, by = by.as_str(),
        blocked = matches!(to, SeatBlock::Block { .. }), "an operator changed which seats are blocked"
    );
    let installed = install(app, &program, call).await;
    let held = installed.as_ref().map(|changes| {
        let held = changes.held.iter().copied();
        SeatRanges::of(held.filter(|seat| seats.contains(*seat)))
    });
    Ok(Reply {
        status: if installed.is_some() { 200 } else { 202 },
        body: json!({
            "program": program.id, "version": program.version, "changed": changed, "held": held,
        }),
        ..Reply::default()
    })
}

/// Publishes a committed change, and brings it into the gate. `None`: the gate does not have it yet.
async fn install(app: &App, program: &Program, call: &Call) -> Option<SeatChanges> {
    publish(app, program, call).await;
    match settle_seats(&app.gate, &app.store, program.id).await {
        Ok(Some(changes)) => return Some(changes),
        Ok(None) => tracing::info!(
            program = %program.id,
            "the gate does not hold the program; its filling brings the changed seats"
        ),
        Err(error) => tracing::warn!(
            program = %program.id, %error,
            "the changed seats are not in the gate yet; the sweep brings them"
        ),
    }
    None
}

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::new(
        422,
        "invalid_seats",
        "These seats cannot be changed",
        detail,
    )
}

/// `GET /programs/{id}/blocked?after=&limit=`: ranges of blocked seats, ascending.
pub async fn blocked(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("programs:write")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let after = call.number("after", 0, 999_999)?;
    let after = after.and_then(|seat| SeatIndex::new(seat as u32).ok());
    let program = id_of(id)?;
    let ranges = app.store.blocked_seats(program, after, limit + 1).await?;
    if ranges.is_empty() && app.store.program(program).await?.is_none() {
        return Err(missing(id));
    }
    let cursor = |range: &BlockedRange| range.first.to_string();
    Ok(Reply::page("blocked", &ranges, limit, view, cursor))
}

fn view(range: &BlockedRange) -> Value {
    json!({
        "first": range.first, "last": range.last, "reason": range.reason,
        "blocked_by": range.blocked_by, "blocked_at": time(range.blocked_at_ms),
    })
}

//! Programs: promoters create and change them; any client reads them.

mod change;
mod seats;
mod view;

use std::fmt::Display;
use std::sync::Arc;

pub use change::{switch, switch_waiting_room, update};
pub use seats::{add as add_seats, block, blocked, unblock};
use serde::Deserialize;
use serde_json::json;
use shared::gate::{Availability, GateError, InstallState, ProgramRef};
use shared::message::{CategoryNo, Cents, ProgramId, ProgramVersion};
use shared::refill::Filled;
use shared::sale::{NewCategory, NewProgram, Program};

use crate::app::App;
use crate::http::{Call, Problem, Reply};
use crate::rebuild;

/// Reads a program by its id from memory, the shared cache or Postgres. The result is never older
/// than a change that this process has received.
pub async fn find(app: &App, id: &str) -> Result<Arc<Program>, Problem> {
    let program = app.programs.find(id_of(id)?).await?;
    program.ok_or_else(|| missing(id))
}

/// Like [`find`], for a buyer who has seen version `seen`: Postgres is read if the caches hold an
/// older one.
pub async fn find_at_least(
    app: &App,
    id: &str,
    seen: Option<ProgramVersion>,
) -> Result<Arc<Program>, Problem> {
    let program = find(app, id).await?;
    if seen.is_none_or(|seen| seen <= program.version) {
        return Ok(program);
    }
    let program = Box::pin(app.programs.find_committed(program.id)).await?;
    program.ok_or_else(|| missing(id))
}

/// A malformed id is the id of no program.
fn id_of(text: &str) -> Result<ProgramId, Problem> {
    text.parse().map_err(|_| missing(text))
}

fn missing(id: &str) -> Problem {
    Problem::not_found("no_such_program", format_args!("there is no program {id}"))
}

fn no_such_category(no: impl Display) -> Problem {
    let detail = format_args!("the program has no category {no}");
    Problem::not_found("no_such_category", detail)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramBody {
    title: String,
    categories: Vec<NewCategoryBody>,
    pay_window_seconds: Option<i64>,
    user_limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCategoryBody {
    name: String,
    rows: u32,
    seats_per_row: u32,
    price_cents: Cents,
}

impl From<NewCategoryBody> for NewCategory {
    fn from(body: NewCategoryBody) -> Self {
        Self {
            name: body.name,
            rows: body.rows,
            row_len: body.seats_per_row,
            price: body.price_cents,
        }
    }
}

/// `POST /programs`: claims the gate, stores the program, installs it in the gate. After a crash in
/// between the first buyer fills the gate.
pub async fn create(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("programs:write")?;
    let body: ProgramBody = call.json()?;
    let default_window = i64::try_from(app.settings.windows.pay_ms).unwrap_or(i64::MAX);
    let window = body.pay_window_seconds;
    let pay_window_ms = window.map_or(default_window, |s| s.saturating_mul(1000));
    let user_limit = body.user_limit.unwrap_or(app.settings.user_limit);
    let categories = body.categories.into_iter().map(Into::into).collect();
    let title = "The program cannot be created as it is";
    let new = NewProgram::new(body.title, categories, pay_window_ms, user_limit)
        .map_err(|e| Problem::new(422, "invalid_program", title, e))?;
    let program = app.store.identify_program(new, None).await?;
    let claimed = rebuild::claim_new(app, &program).await;
    app.store.add_program(&program).await?;
    change::publish(app, &program, call).await;
    // No order can name a program before it is stored, so Kafka holds nothing to wait for.
    if let Some(new) = claimed
        && let Err(problem) = rebuild::install_new(app, &program, &new).await
    {
        tracing::warn!(program = %program.id, why = problem.detail, "cannot install the new \
            program in the gate; its first buyer fills it");
    }
    let location = format!("/programs/{}", program.id);
    Ok(Reply::at(201, location, view::program(&program, None)))
}

/// `GET /programs/{id}`. While the gate is unavailable or loading, the number of free seats is
/// `null`.
pub async fn get(app: &App, id: &str) -> Result<Reply, Problem> {
    let program = find(app, id).await?;
    let open = match availability(app, &program).await {
        Ok(Some(open)) => Some(open),
        // A program without new orders must open again as well, so reading it resumes the filling.
        Ok(None) => match rebuild::resume(app, &program).await {
            Ok(Filled::Open) => availability(app, &program).await.unwrap_or_default(),
            Ok(Filled::Unfinished) => None,
            Err(problem) => {
                tracing::warn!(program = %program.id, why = problem.detail, "cannot fill the \
                    gate; a later request resumes");
                None
            }
        },
        Err(error) => {
            tracing::warn!(%error, "cannot read the free seats");
            None
        }
    };
    Ok(Reply::ok(view::program(&program, open.as_ref())))
}

/// Number of free seats by category, if the gate is open.
async fn availability(app: &App, program: &Program) -> Result<Option<Availability>, GateError> {
    let availability = app.gate.availability(ProgramRef::from(program)).await?;
    Ok(availability.filter(|a| a.state == InstallState::Open))
}

/// `GET /programs/{id}/seats?category=0`: one string per row, one character per seat.
pub async fn seats(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let mut program = find(app, id).await?;
    let no = call.number("category", 0, 99)?.unwrap_or(0);
    let of = |program: &Program| {
        let category = CategoryNo::new(no as u16).ok();
        let category = category.and_then(|no| program.category(no)).cloned();
        category.ok_or_else(|| no_such_category(no))
    };
    let mut category = of(&program)?;
    let at = ProgramRef::from(&*program);
    if app.gate.install_state(at).await? != InstallState::Open {
        rebuild::open(app, &program).await?;
    }
    let mut rows = app.gate.seat_map(at, &category).await?;
    if rows.is_none() {
        // Seats were added, and this instance has an earlier version of the program.
        let committed = Box::pin(app.programs.find_committed(program.id)).await?;
        program = committed.ok_or_else(|| missing(id))?;
        category = of(&program)?;
        rows = app.gate.seat_map(at, &category).await?;
    }
    let rows = rows.ok_or_else(Problem::loading)?;
    Ok(Reply::ok(json!({
        "category": category.no,
        "first_seat": category.layout.first(),
        "seats_per_row": category.layout.row_len(),
        "rows": view::rows(&rows),
    })))
}

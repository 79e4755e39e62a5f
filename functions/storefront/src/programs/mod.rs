//! Programs: created and changed by promoters, seen by everybody.

mod change;

use std::sync::Arc;

pub use change::{switch, update};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::gate::{Availability, GateError, InstallState, ProgramRef};
use shared::message::{CategoryNo, Cents, ProgramId, ProgramVersion};
use shared::sale::{Category, NewCategory, NewProgram, Program};

use crate::http::{Call, Problem, Reply};
use crate::rebuild::{self, Progress};
use crate::storefront::Storefront;

/// A program by the text of its id, as memory, the shared cache or Postgres has it: never older than what this process has heard of.
pub async fn find(shop: &Storefront, id: &str) -> Result<Arc<Program>, Problem> {
    shop.programs
        .find(id_of(id)?)
        .await?
        .ok_or_else(|| missing(id))
}

/// The same for a buyer who was shown this version: where the caches have an older one, Postgres is asked.
pub async fn find_at_least(
    shop: &Storefront,
    id: &str,
    shown: Option<ProgramVersion>,
) -> Result<Arc<Program>, Problem> {
    let program = find(shop, id).await?;
    if shown.is_none_or(|shown| shown <= program.version) {
        return Ok(program);
    }
    shop.programs
        .find_true(program.id)
        .await?
        .ok_or_else(|| missing(id))
}

/// A text that is no id is the id of no program.
fn id_of(text: &str) -> Result<ProgramId, Problem> {
    text.parse().map_err(|_| missing(text))
}

fn missing(id: &str) -> Problem {
    Problem::not_found("no_such_program", format_args!("there is no program {id}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    title: String,
    categories: Vec<WantedCategory>,
    pay_window_seconds: Option<i64>,
    user_limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedCategory {
    name: String,
    rows: u32,
    seats_per_row: u32,
    price_cents: Cents,
}

/// `POST /programs`: claimed in the gate, stored, then installed there; a crash in between is mended by the first buyer.
pub async fn create(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    call.claims.user()?;
    call.claims.require_scope("programs:write")?;
    let Wanted {
        title,
        categories,
        pay_window_seconds,
        user_limit,
    } = call.json()?;
    let default_window = i64::try_from(shop.settings.windows.pay_ms).unwrap_or(i64::MAX);
    let pay_window_ms = pay_window_seconds.map_or(default_window, |s| s.saturating_mul(1000));
    let category = |c: WantedCategory| NewCategory {
        name: c.name,
        rows: c.rows,
        row_len: c.seats_per_row,
        price: c.price_cents,
    };
    let categories = categories.into_iter().map(category).collect();
    let new = NewProgram::new(
        title,
        categories,
        pay_window_ms,
        user_limit.unwrap_or(shop.settings.user_limit),
    )
    .map_err(|e| {
        Problem::new(
            422,
            "invalid_program",
            "The program cannot be created as it is",
            e,
        )
    })?;
    let program = shop.store.identify_program(new, None).await?;
    let claimed = rebuild::claim_new(shop, &program).await;
    shop.store.add_program(&program).await?;
    change::tell(shop, &program, call).await;
    // No order can name it before it is stored: there is nothing in Kafka to wait for. If the gate is away, its first buyer does this.
    if let Some(new) = claimed
        && let Err(problem) = rebuild::install_new(shop, &program, &new).await
    {
        tracing::warn!(program = %program.id, why = problem.detail, "the new program is not in the gate yet");
    }
    Ok(Reply::at(
        201,
        format!("/programs/{}", program.id),
        view(&program, None),
    ))
}

/// `GET /programs/{id}`. While the gate is away or loading, free seats are unknown (`null`), the rest is answered.
pub async fn get(shop: &Storefront, id: &str) -> Result<Reply, Problem> {
    let program = find(shop, id).await?;
    let open = match availability(shop, &program).await {
        Ok(Some(open)) => Some(open),
        // Whoever looks carries the filling on: a program that nobody orders from must open again as well.
        Ok(None) => match rebuild::carry_on(shop, &program).await {
            Ok(Progress::Open) => availability(shop, &program).await.unwrap_or_default(),
            Ok(Progress::Loading) => None,
            Err(problem) => {
                tracing::warn!(program = %program.id, why = problem.detail, "the gate cannot be filled now");
                None
            }
        },
        Err(error) => {
            tracing::warn!(%error, "availability");
            None
        }
    };
    Ok(Reply::ok(view(&program, open.as_ref())))
}

/// What is free, if the gate is open.
async fn availability(
    shop: &Storefront,
    program: &Program,
) -> Result<Option<Availability>, GateError> {
    let availability = shop.gate.availability(ProgramRef::from(program)).await?;
    Ok(availability.filter(|a| a.state == InstallState::Open))
}

/// `GET /programs/{id}/seats?category=0`: a character a seat, a text a row.
pub async fn seats(shop: &Storefront, id: &str, call: &Call) -> Result<Reply, Problem> {
    let program = find(shop, id).await?;
    let no = call.number("category", 0, 99)?.unwrap_or(0);
    let category = CategoryNo::new(no as u16)
        .ok()
        .and_then(|no| program.category(no));
    let category = category.ok_or_else(|| {
        Problem::not_found(
            "no_such_category",
            format_args!("the program has no category {no}"),
        )
    })?;
    let at = ProgramRef::from(&*program);
    if shop.gate.install_state(at).await? != InstallState::Open
        && rebuild::carry_on(shop, &program).await? == Progress::Loading
    {
        return Err(Problem::loading());
    }
    let rows = shop
        .gate
        .seat_map(at, category)
        .await?
        .ok_or_else(Problem::loading)?;
    Ok(Reply::ok(json!({
        "category": category.no,
        "first_seat": category.layout.first(),
        "seats_per_row": category.layout.row_len(),
        "rows": rows.iter().map(|row| row.iter().map(|seat| shown(*seat)).collect::<String>()).collect::<Vec<_>>(),
    })))
}

const fn shown(seat: u8) -> char {
    match seat {
        b'0' => '.',
        b'1' => 'x',
        _ => '#',
    }
}

fn view(program: &Program, availability: Option<&Availability>) -> Value {
    let free = |c: &Category| {
        availability
            .and_then(|a| a.free.iter().find(|(no, _)| *no == c.no))
            .map(|(_, free)| *free)
    };
    let category = |c: &Category| {
        json!({
            "no": c.no, "name": c.name, "price_cents": c.price, "first_seat": c.layout.first(),
            "rows": c.layout.rows(), "seats_per_row": c.layout.row_len(), "free": free(c),
        })
    };
    json!({
        "id": program.id, "title": program.title, "version": program.version, "status": program.status.as_str(),
        "pay_window_seconds": program.pay_window_ms / 1000, "user_limit": program.user_limit,
        "categories": program.categories.iter().map(category).collect::<Vec<_>>(),
    })
}

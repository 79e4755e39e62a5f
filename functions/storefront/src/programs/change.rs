//! Changes of programs by promoters. Each is committed together with a row of the outbox and then
//! published.

use serde::Deserialize;
use shared::message::{AdmissionRate, CategoryNo, Cents, ProgramChanged, ProgramVersion};
use shared::sale::{CategoryChange, Program, ProgramChange, ProgramStatus};
use shared::store::{Changed, Switched};

use super::{availability, id_of, missing, no_such_category, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    version: ProgramVersion,
    title: Option<String>,
    pay_window_seconds: Option<i64>,
    user_limit: Option<u32>,
    #[serde(default)]
    categories: Vec<CategoryBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CategoryBody {
    no: CategoryNo,
    name: Option<String>,
    price_cents: Option<Cents>,
}

/// `PATCH /programs/{id}`: changes the named members if the program still has the version in the
/// body.
pub async fn update(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("programs:write")?;
    let body: ChangeBody = call.json()?;
    let category = |c: CategoryBody| CategoryChange {
        no: c.no,
        name: c.name,
        price: c.price_cents,
    };
    let categories = body.categories.into_iter().map(category).collect();
    let window = body
        .pay_window_seconds
        .map(|seconds| seconds.saturating_mul(1000));
    let change = ProgramChange::new(body.title, window, body.user_limit, categories)
        .map_err(|e| Problem::new(422, "invalid_program", "The change is not possible", e))?;
    let program = id_of(id)?;
    let changed = app.store.update_program(program, body.version, &change);
    match changed.await? {
        Changed::Done(program) => Ok(done(app, &program, call).await),
        Changed::VersionDiffers(version) => Err(version_conflict(version)),
        Changed::NoSuchCategory(no) => Err(no_such_category(no)),
        Changed::NoSuchProgram => Err(missing(id)),
    }
}

pub(super) fn version_conflict(version: ProgramVersion) -> Problem {
    let detail = format!(
        "the program has version {version} now; get it, and send the change with that version"
    );
    let title = "Another request has changed the program";
    Problem::conflict("version_conflict", title, detail).with("version", version.get())
}

/// `POST /programs/{id}/stop` and `/resume`. They take no version, so that a sale can always be
/// stopped. Idempotent.
pub async fn switch(app: &App, id: &str, to: ProgramStatus, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("programs:write")?;
    let switched = app.store.switch_sale(id_of(id)?, to).await?;
    answer(app, id, switched, call).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoomBody {
    /// Required: a body without it must not switch the room off.
    #[serde(deserialize_with = "Option::deserialize")]
    admissions_per_second: Option<AdmissionRate>,
}

/// `PUT /programs/{id}/waiting-room`: switches it on, with a rate, or off (`null`). Takes no version.
/// Idempotent.
pub async fn switch_waiting_room(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("programs:write")?;
    let body: RoomBody = call.json()?;
    let rate = body.admissions_per_second;
    let switched = app.store.switch_waiting_room(id_of(id)?, rate).await?;
    answer(app, id, switched, call).await
}

async fn answer(app: &App, id: &str, switched: Switched, call: &Call) -> Result<Reply, Problem> {
    match switched {
        Switched::Done(program) => Ok(done(app, &program, call).await),
        Switched::Already(program) => {
            // The process that switched it may have died before it evicted the cached program.
            app.programs.changed(change_of(&program)).await;
            Ok(reply(app, &program).await)
        }
        Switched::NoSuchProgram => Err(missing(id)),
    }
}

async fn done(app: &App, program: &Program, call: &Call) -> Reply {
    tracing::info!(
        program = %program.id, version = %program.version, status = %program.status,
        "a promoter changed the program"
    );
    publish(app, program, call).await;
    reply(app, program).await
}

pub(super) async fn reply(app: &App, program: &Program) -> Reply {
    let open = availability(app, program).await.unwrap_or_default();
    Reply::ok(view::program(program, open.as_ref()))
}

const fn change_of(program: &Program) -> ProgramChanged {
    ProgramChanged {
        id: program.id,
        version: program.version,
    }
}

/// Publishes a committed change. After a failure the sweep publishes it from the outbox.
pub(super) async fn publish(app: &App, program: &Program, call: &Call) {
    let change = change_of(program);
    app.programs.changed(change).await;
    match app.changes.announce(change, call.trace().as_deref()).await {
        Ok(()) => {
            if let Err(error) = app.store.published(&[change]).await {
                tracing::warn!(program = %change.id, %error, "the change is published, but still \
                    in the outbox; the sweep publishes it again");
            }
        }
        Err(error) => {
            tracing::warn!(program = %change.id, %error, "cannot publish the change; the sweep \
                publishes it");
        }
    }
}

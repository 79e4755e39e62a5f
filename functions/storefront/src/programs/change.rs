//! Changes of programs, by promoters. Each is committed together with its row in the outbox; then everybody is told.

use serde::Deserialize;
use shared::message::{CategoryNo, Cents, ProgramChanged, ProgramVersion};
use shared::sale::{CategoryChange, Program, ProgramChange, ProgramStatus};
use shared::store::{Changed, Switched};

use super::{availability, id_of, missing, view};
use crate::http::{Call, Problem, Reply};
use crate::storefront::Storefront;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    version: ProgramVersion,
    title: Option<String>,
    pay_window_seconds: Option<i64>,
    user_limit: Option<u32>,
    #[serde(default)]
    categories: Vec<WantedCategory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedCategory {
    no: CategoryNo,
    name: Option<String>,
    price_cents: Option<Cents>,
}

/// `PATCH /programs/{id}`: what is named changes, if the program is still of the version that the promoter saw.
pub async fn update(shop: &Storefront, id: &str, call: &Call) -> Result<Reply, Problem> {
    may_change(call)?;
    let wanted: Wanted = call.json()?;
    let category = |c: WantedCategory| CategoryChange {
        no: c.no,
        name: c.name,
        price: c.price_cents,
    };
    let categories = wanted.categories.into_iter().map(category).collect();
    let window = wanted
        .pay_window_seconds
        .map(|seconds| seconds.saturating_mul(1000));
    let change =
        ProgramChange::new(wanted.title, window, wanted.user_limit, categories).map_err(|e| {
            Problem::new(
                422,
                "invalid_program",
                "The program cannot be changed so",
                e,
            )
        })?;
    match shop
        .store
        .update_program(id_of(id)?, wanted.version, &change)
        .await?
    {
        Changed::Done(program) => Ok(done(shop, &program, call).await),
        Changed::VersionDiffers(version) => {
            let detail = format!(
                "the program has version {version} now; look at it, and send what is to change with that version"
            );
            let problem = Problem::new(
                409,
                "version_conflict",
                "Somebody else has changed the program",
                detail,
            );
            Err(problem.with("version", version.get()))
        }
        Changed::NoSuchCategory(no) => Err(Problem::not_found(
            "no_such_category",
            format_args!("the program has no category {no}"),
        )),
        Changed::NoSuchProgram => Err(missing(id)),
    }
}

/// `POST /programs/{id}/stop` and `/resume`. Whatever the version: to stop a sale must always work. Repeating it changes nothing.
pub async fn switch(
    shop: &Storefront,
    id: &str,
    to: ProgramStatus,
    call: &Call,
) -> Result<Reply, Problem> {
    may_change(call)?;
    match shop.store.switch_sale(id_of(id)?, to).await? {
        Switched::Done(program) => Ok(done(shop, &program, call).await),
        Switched::Already(program) => {
            // Whoever switched it may have died before anybody heard of it.
            shop.programs
                .changed(ProgramChanged {
                    id: program.id,
                    version: program.version,
                })
                .await;
            Ok(shown(shop, &program).await)
        }
        Switched::NoSuchProgram => Err(missing(id)),
    }
}

fn may_change(call: &Call) -> Result<(), Problem> {
    call.claims.user()?;
    call.claims.require_scope("programs:write")
}

async fn done(shop: &Storefront, program: &Program, call: &Call) -> Reply {
    tracing::info!(program = %program.id, version = %program.version, status = %program.status, "changed");
    tell(shop, program, call).await;
    shown(shop, program).await
}

async fn shown(shop: &Storefront, program: &Program) -> Reply {
    Reply::ok(view(
        program,
        availability(shop, program)
            .await
            .unwrap_or_default()
            .as_ref(),
    ))
}

/// Tells everybody of a committed change. Whatever fails here, the sweep publishes what the outbox still holds.
pub(super) async fn tell(shop: &Storefront, program: &Program, call: &Call) {
    let change = ProgramChanged {
        id: program.id,
        version: program.version,
    };
    shop.programs.changed(change).await;
    match shop.changes.tell(change, call.trace().as_deref()).await {
        Ok(()) => {
            if let Err(error) = shop.store.published(&[change]).await {
                tracing::warn!(program = %change.id, %error, "published, and to be published again by the sweep");
            }
        }
        Err(error) => {
            tracing::warn!(program = %change.id, %error, "committed; publishing it is left to the sweep");
        }
    }
}

//! The waiting room of a program: buyers join, look again, and are admitted in the order in which
//! they joined. Only then they may order.

mod round;
pub mod settings;
mod view;

use std::sync::Arc;

use shared::gate::{ProgramRef, RoomPlace, RoomTicket};
use shared::message::{AdmissionRate, UserId};
use shared::sale::{Program, ProgramStatus};

use crate::app::App;
use crate::http::{Call, Problem, Reply, RequestClass};
use crate::programs;

/// `POST /programs/{id}/waiting-room`: takes a place behind all others. A buyer who has a place, or
/// is admitted, gets the same answer as by looking.
pub async fn join(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let limits = &app.limits;
    limits.take(RequestClass::Orders, call, Some(&user)).await?;
    let visit = Visit::of(app, id, user).await?;
    let Some(rate) = visit.program.admissions_per_second else {
        return Ok(view::open(&visit.program));
    };
    let at = ProgramRef::from(&*visit.program);
    let limits = app.settings.waiting_room.limits;
    let random = rand::random();
    let may_admit = visit.may_admit();
    let place = app
        .gate
        .room_join(at, &visit.user, limits, random, may_admit)
        .await?;
    visit.answer(app, rate, place).await
}

/// `GET /programs/{id}/waiting-room?ticket=`: the position, or the admission.
pub async fn look(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let ticket = call.parsed::<RoomTicket>("ticket")?;
    let ticket = ticket.ok_or_else(|| Problem::malformed("query parameter ticket is missing"))?;
    let visit = Visit::of(app, id, user).await?;
    let Some(rate) = visit.program.admissions_per_second else {
        return Ok(view::open(&visit.program));
    };
    let place = visit.look(app, ticket, visit.may_admit()).await?;
    visit.answer(app, rate, place).await
}

/// Refuses a buyer who is not admitted, if the program has a waiting room.
pub(crate) async fn require_admission(
    app: &App,
    program: &Program,
    user: &UserId,
) -> Result<(), Problem> {
    if program.admissions_per_second.is_none() {
        return Ok(());
    }
    // On the heap: few programs have a waiting room.
    let admission = Box::pin(app.gate.room_admission(ProgramRef::from(program), user));
    match admission.await? {
        Some(_) => Ok(()),
        None => Err(view::not_admitted(program)),
    }
}

/// A buyer at the waiting room of a program.
struct Visit {
    program: Arc<Program>,
    user: UserId,
}

impl Visit {
    async fn of(app: &App, id: &str, user: UserId) -> Result<Self, Problem> {
        let program = programs::find(app, id).await?;
        Ok(Self { program, user })
    }

    /// No buyer is admitted to a sale that is stopped, but places are kept: a room can be filled
    /// before the sale begins.
    fn may_admit(&self) -> bool {
        self.program.status == ProgramStatus::OnSale
    }

    async fn look(
        &self,
        app: &App,
        ticket: RoomTicket,
        may_admit: bool,
    ) -> Result<RoomPlace, Problem> {
        let at = ProgramRef::from(&*self.program);
        let limits = app.settings.waiting_room.limits;
        let place = app
            .gate
            .room_look(at, &self.user, ticket, limits, may_admit)
            .await?;
        Ok(place)
    }

    /// Runs the round that came with the place, if any, and answers.
    async fn answer(
        &self,
        app: &App,
        rate: AdmissionRate,
        mut place: RoomPlace,
    ) -> Result<Reply, Problem> {
        if let RoomPlace::Waiting {
            ticket,
            round: Some(granted),
            ..
        } = place
        {
            round::run(app, &self.program, rate, granted).await;
            place = self.look(app, ticket, false).await?;
        }
        let patience = app.settings.waiting_room.limits.patience;
        view::place(&self.program, rate, place, patience)
    }
}

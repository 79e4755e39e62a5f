//! Compares targets with Postgres as they are now. Reads only.
//!
//! A report may be minutes old: what is right by now is not planned, so a repetition finds nothing.

mod chunk;
mod holder;
mod order;
mod tickets;

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use shared::gate::{Gate, OrderAt, ProgramRef};
use shared::message::{CategoryNo, Nonce, OrderNumber, ProgramId, SeatIndex};
use shared::sale::Program;
use shared::store::{OrderRow, Store};

use crate::plan::{Action, Found, Servers, Target};

/// Owners in the gate, by order and nonce.
type Holders = HashMap<(OrderNumber, Nonce), Vec<SeatIndex>>;

/// Compares all targets.
pub(crate) async fn inspect(servers: &Servers, targets: &[Target]) -> Result<Found> {
    let mut inspector = Inspector {
        gate: &servers.gate,
        store: &servers.store,
        programs: BTreeMap::new(),
        holders: HashMap::new(),
        found: Found::default(),
    };
    for target in targets {
        inspector.target(target).await?;
    }
    Ok(inspector.found)
}

/// One inspection, with what it has read.
struct Inspector<'a> {
    gate: &'a Gate,
    store: &'a Store,
    programs: BTreeMap<ProgramId, Option<Program>>,
    /// By program: read once, since many orders of a program may be compared.
    holders: HashMap<ProgramId, Holders>,
    found: Found,
}

impl Inspector<'_> {
    async fn target(&mut self, target: &Target) -> Result<()> {
        match target {
            Target::Order(order) => self.order(*order).await,
            Target::Holder {
                program,
                order,
                nonce,
            } => match self.program(*program).await? {
                Some(program) => {
                    let at = OrderAt {
                        order: *order,
                        nonce: *nonce,
                        program: ProgramRef::from(&program),
                    };
                    self.holder(&program, at).await
                }
                None => Ok(()),
            },
            Target::Chunk {
                program,
                category,
                chunk,
            } => match self.program(*program).await? {
                Some(program) => self.chunk(&program, *category, *chunk).await,
                None => Ok(()),
            },
            Target::Tickets {
                program,
                user,
                order,
            } => match self.program(*program).await? {
                Some(program) => self.tickets(&program, user, *order).await,
                None => Ok(()),
            },
            Target::Program(id) => {
                let Some(program) = self.program(*id).await? else {
                    anyhow::bail!("there is no program {id}");
                };
                let categories = program.categories.iter();
                let chunks = categories.flat_map(|category| {
                    let chunks = 0..category.layout.chunks();
                    chunks.map(move |chunk| (category.no, chunk))
                });
                let chunks: Vec<(CategoryNo, u32)> = chunks.collect();
                for (category, chunk) in chunks {
                    self.chunk(&program, category, Some(chunk)).await?;
                }
                Ok(())
            }
        }
    }

    async fn program(&mut self, id: ProgramId) -> Result<Option<Program>> {
        if !self.programs.contains_key(&id) {
            let program = self.store.program(id).await?;
            self.programs.insert(id, program);
        }
        Ok(self.programs.get(&id).cloned().flatten())
    }

    /// The seats that an order owns in the gate.
    async fn owned(&mut self, at: OrderAt) -> Result<Vec<SeatIndex>> {
        let id = at.program.id;
        if !self.holders.contains_key(&id) {
            let mut holders = Holders::new();
            let mut from = Some(0);
            while let Some(page) = from {
                let page = self.gate.taken(at.program, page).await?;
                for taken in page.taken {
                    let seats = holders.entry((taken.order, taken.nonce)).or_default();
                    // A scan may name a seat twice.
                    if !seats.contains(&taken.seat) {
                        seats.push(taken.seat);
                    }
                }
                from = page.next;
            }
            self.holders.insert(id, holders);
        }
        let holders = self.holders.get(&id);
        let seats = holders.and_then(|holders| holders.get(&(at.order, at.nonce)));
        let mut seats = seats.cloned().unwrap_or_default();
        seats.sort_unstable();
        Ok(seats)
    }

    /// Plans to compare the chunks of these seats.
    fn plan_chunks(
        &mut self,
        program: &Program,
        seats: &[SeatIndex],
        number: &'static str,
        subject: &str,
        change: &str,
    ) {
        for seat in seats {
            let categories = program.categories.iter();
            let mut places = categories.filter_map(|c| Some((c.no, c.layout.place(*seat)?.chunk)));
            let Some((category, chunk)) = places.next() else {
                let found = format!("{subject} holds seat {seat}, which the program does not have");
                self.found.refuse(number, found, OUTSIDE);
                continue;
            };
            let action = Action::Chunk {
                program: program.id,
                category,
                chunk,
            };
            let subject = format!("program {} seat {seat}", program.id);
            self.found.plan(number, subject, change.to_owned(), action);
        }
    }

    async fn rows(&self, orders: &[OrderNumber]) -> Result<Vec<OrderRow>> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.store.orders(orders).await?)
    }
}

const OUTSIDE: &str = "the layout was changed: restore it (runbook: order_outside_map)";

/// Seats for a text.
fn list(seats: &[SeatIndex]) -> String {
    let seats: Vec<String> = seats.iter().map(SeatIndex::to_string).collect();
    seats.join(", ")
}

//! What is compared, what is planned, and what is refused.

use shared::gate::{Gate, OrderAt, ProgramRef};
use shared::message::{CategoryNo, Nonce, OrderNumber, ProgramId, UserId};
use shared::store::Store;

/// Redis and Postgres.
pub(crate) struct Servers {
    pub gate: Gate,
    pub store: Store,
}

/// What is compared with Postgres.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// An order that may have a row.
    Order(OrderNumber),
    /// What a reservation, or an owner of seats, holds in the gate.
    Holder {
        program: ProgramId,
        order: OrderNumber,
        nonce: Nonce,
    },
    /// A chunk of a category's seat map; `None`: the last one, with the free count.
    Chunk {
        program: ProgramId,
        category: CategoryNo,
        chunk: Option<u32>,
    },
    /// What an order counts towards its buyer's limit.
    Tickets {
        program: ProgramId,
        user: UserId,
        order: OrderNumber,
    },
    /// All chunks of a program.
    Program(ProgramId),
}

/// A repair. In the order in which repairs run: a fence before the chunk whose seats it frees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Make the order void, by the rule of timeout-closer.
    Fence(OrderAt),
    /// Settle the gate by the order's row.
    Settle(OrderNumber),
    /// Release a reservation whose number belongs to another order's row.
    Release(OrderAt),
    /// Give the order a timeout entry: timeout-closer decides about it.
    Rearm(OrderAt),
    /// Compare a chunk as the sweep does.
    Chunk {
        program: ProgramId,
        category: CategoryNo,
        chunk: u32,
    },
    /// Correct the count of an order towards its buyer's limit.
    Tickets {
        program: ProgramRef,
        user: UserId,
        order: OrderNumber,
    },
}

impl Action {
    /// The place in the order of repairs.
    pub(crate) const fn place(&self) -> u8 {
        match self {
            Self::Fence(_) => 0,
            Self::Settle(_) => 1,
            Self::Release(_) => 2,
            Self::Rearm(_) => 3,
            Self::Chunk { .. } => 4,
            Self::Tickets { .. } => 5,
        }
    }
}

/// A difference, and its repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Number of the check of ticket-audit.
    pub number: &'static str,
    /// The order, seat or count.
    pub subject: String,
    /// What the repair changes.
    pub change: String,
    pub action: Action,
}

/// A difference that no program may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Number of the check of ticket-audit.
    pub number: String,
    /// What was found.
    pub found: String,
    /// Why, and what a person does.
    pub why: String,
}

/// The result of an inspection.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub planned: Vec<Planned>,
    pub refused: Vec<Refused>,
}

impl Found {
    pub(crate) fn plan(
        &mut self,
        number: &'static str,
        subject: String,
        change: String,
        action: Action,
    ) {
        let planned = Planned {
            number,
            subject,
            change,
            action,
        };
        // Two targets may lead to the same difference.
        if !self.planned.contains(&planned) {
            self.planned.push(planned);
        }
    }

    pub(crate) fn refuse(&mut self, number: &str, found: String, why: &str) {
        let refused = Refused {
            number: number.to_owned(),
            found,
            why: why.to_owned(),
        };
        if !self.refused.contains(&refused) {
            self.refused.push(refused);
        }
    }
}

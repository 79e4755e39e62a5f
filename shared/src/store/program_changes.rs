//! Changes of programs. Each is one transaction that also adds a row to the outbox.

use super::columns::column;
use super::pool::BoundedConnection;
use super::retry::{ConflictRetry, StaleReadRetry};
use super::{Store, StoreError, outbox, programs};
use crate::message::{AdmissionRate, CategoryNo, ProgramChanged, ProgramId, ProgramVersion};
use crate::sale::{Program, ProgramChange, ProgramStatus};

/// Result of a program change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Committed, with a row in the outbox. The caller publishes it, then calls
    /// [`Store::published`].
    Done(Program),
    /// The program has another version than expected. Nothing was changed.
    VersionDiffers(ProgramVersion),
    /// The program has no such category. Nothing was changed.
    NoSuchCategory(CategoryNo),
    /// The program does not exist.
    NoSuchProgram,
}

/// Result of stopping or resuming a sale, or of switching its waiting room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    /// Committed, with a row in the outbox. The caller publishes it, then calls
    /// [`Store::published`].
    Done(Program),
    /// The program was in this state before. Nothing was changed.
    Already(Program),
    /// The program does not exist.
    NoSuchProgram,
}

impl Store {
    /// Changes a program if its version is `expected`.
    pub async fn update_program(
        &self,
        id: ProgramId,
        expected: ProgramVersion,
        change: &ProgramChange,
    ) -> Result<Changed, StoreError> {
        let mut conflicts = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            let changed = conflicts
                .run(|| self.update_once(id, expected, change))
                .await?;
            // The expected version was committed between the UPDATE and the SELECT of the version.
            if !stale.is_due(changed == Changed::VersionDiffers(expected)) {
                return Ok(changed);
            }
        }
    }

    async fn update_once(
        &self,
        id: ProgramId,
        expected: ProgramVersion,
        change: &ProgramChange,
    ) -> Result<Changed, StoreError> {
        let mut tx = self.pool.begin().await?;
        let version = sqlx::query_scalar(include_str!("sql/program_update.sql"))
            .bind(id)
            .bind(expected)
            .bind(change.title.as_deref())
            .bind(change.pay_window_ms)
            .bind(change.user_limit.map(|tickets| tickets as i32))
            .fetch_optional(&mut *tx)
            .await?;
        let Some(version) = version else {
            let query = sqlx::query_scalar(include_str!("sql/program_version.sql")).bind(id);
            let version = query.fetch_optional(&mut *tx).await?;
            return Ok(version.map_or(Changed::NoSuchProgram, Changed::VersionDiffers));
        };
        // The transaction is dropped without a commit, so nothing is changed.
        if let Some(missing) = update_categories(&mut tx, id, change).await? {
            return Ok(Changed::NoSuchCategory(missing));
        }
        let program = noted(&mut tx, id, version).await?;
        tx.commit().await?;
        Ok(Changed::Done(program))
    }

    /// Stops the sale (no new orders; existing ones continue) or resumes it.
    pub async fn switch_sale(
        &self,
        id: ProgramId,
        to: ProgramStatus,
    ) -> Result<Switched, StoreError> {
        self.switch(id, Switch::Sale(to)).await
    }

    /// Switches the waiting room on, with this rate, or off.
    pub async fn switch_waiting_room(
        &self,
        id: ProgramId,
        to: Option<AdmissionRate>,
    ) -> Result<Switched, StoreError> {
        self.switch(id, Switch::WaitingRoom(to)).await
    }

    async fn switch(&self, id: ProgramId, to: Switch) -> Result<Switched, StoreError> {
        let mut conflicts = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            let switched = conflicts.run(|| self.switch_once(id, to)).await?;
            // It was in this state when the UPDATE ran, and has been switched back since.
            let back = matches!(&switched, Switched::Already(program) if !to.is_done(program));
            if !stale.is_due(back) {
                return Ok(switched);
            }
        }
    }

    async fn switch_once(&self, id: ProgramId, to: Switch) -> Result<Switched, StoreError> {
        let mut tx = self.pool.begin().await?;
        let query = match to {
            Switch::Sale(status) => sqlx::query_scalar(include_str!("sql/program_status.sql"))
                .bind(id)
                .bind(status),
            Switch::WaitingRoom(rate) => {
                sqlx::query_scalar(include_str!("sql/program_waiting_room.sql"))
                    .bind(id)
                    .bind(rate)
            }
        };
        let version = query.fetch_optional(&mut *tx).await?;
        let Some(version) = version else {
            return Ok(programs::read(&mut *tx, id)
                .await?
                .map_or(Switched::NoSuchProgram, Switched::Already));
        };
        let program = noted(&mut tx, id, version).await?;
        tx.commit().await?;
        Ok(Switched::Done(program))
    }
}

/// A change that needs no version: it is made whatever else has changed.
#[derive(Debug, Clone, Copy)]
enum Switch {
    Sale(ProgramStatus),
    WaitingRoom(Option<AdmissionRate>),
}

impl Switch {
    fn is_done(self, program: &Program) -> bool {
        match self {
            Self::Sale(status) => program.status == status,
            Self::WaitingRoom(rate) => program.admissions_per_second == rate,
        }
    }
}

/// Updates categories. Returns a category that does not exist, if any.
async fn update_categories(
    tx: &mut BoundedConnection,
    id: ProgramId,
    change: &ProgramChange,
) -> Result<Option<CategoryNo>, StoreError> {
    let changes = &change.categories;
    if changes.is_empty() {
        return Ok(None);
    }
    let changed: Vec<CategoryNo> =
        sqlx::query_scalar(include_str!("sql/program_update_categories.sql"))
            .bind(id)
            .bind(column(changes, |category| category.no))
            .bind(column(changes, |category| category.name.as_deref()))
            .bind(column(changes, |category| category.price))
            .fetch_all(tx)
            .await?;
    let mut numbers = changes.iter().map(|category| category.no);
    Ok(numbers.find(|no| !changed.contains(no)))
}

/// Adds the change to the outbox and reads the changed program.
pub(super) async fn noted(
    tx: &mut BoundedConnection,
    id: ProgramId,
    version: ProgramVersion,
) -> Result<Program, StoreError> {
    outbox::add(tx, ProgramChanged { id, version }).await?;
    let program = programs::read(tx, id).await?;
    program.ok_or_else(|| StoreError::unknown(format!("program {id} has no categories")))
}

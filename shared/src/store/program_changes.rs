//! Changes of what is on sale: each one transaction, and the outbox row in it.

use super::pool::BoundedConnection;
use super::retry::{ConflictRetry, StaleReadRetry};
use super::row::bounded;
use super::{Store, StoreError, outbox, programs};
use crate::message::{CategoryNo, ProgramChanged, ProgramId, ProgramVersion};
use crate::sale::{Program, ProgramChange, ProgramStatus};

/// What became of a change of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Committed, with its row in the outbox: to be published, then [`Store::published`].
    Done(Program),
    /// The program has another version than the change was made for. Nothing was changed.
    VersionDiffers(ProgramVersion),
    /// It has no such category. Nothing was changed.
    NoSuchCategory(CategoryNo),
    /// There is no such program.
    NoSuchProgram,
}

/// What became of stopping or resuming a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    /// Committed, with its row in the outbox: to be published, then [`Store::published`].
    Done(Program),
    /// It was so before. Nothing was changed.
    Already(Program),
    /// There is no such program.
    NoSuchProgram,
}

impl Store {
    /// Changes a program that is still of version `expected`.
    pub async fn update_program(
        &self,
        id: ProgramId,
        expected: ProgramVersion,
        change: &ProgramChange,
    ) -> Result<Changed, StoreError> {
        let mut retry = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            let result = self.update_once(id, expected, change).await;
            if retry.is_due(&result) {
                continue;
            }
            let changed = result?;
            // The version that was expected was committed between the UPDATE and the look at the version.
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
        let version: Option<i64> = sqlx::query_scalar(include_str!("sql/program_update.sql"))
            .bind(id.get())
            .bind(expected.get())
            .bind(change.title())
            .bind(change.pay_window_ms())
            .bind(change.user_limit().map(|tickets| tickets as i32))
            .fetch_optional(&mut *tx)
            .await?;
        let Some(version) = version else {
            let query = sqlx::query_scalar(include_str!("sql/program_version.sql")).bind(id.get());
            let version: Option<i64> = query.fetch_optional(&mut *tx).await?;
            return Ok(match version {
                Some(version) => Changed::VersionDiffers(bounded(ProgramVersion::new(version))?),
                None => Changed::NoSuchProgram,
            });
        };
        // Dropped without a commit, the transaction leaves nothing behind.
        if let Some(missing) = update_categories(&mut tx, id, change).await? {
            return Ok(Changed::NoSuchCategory(missing));
        }
        let program = noted(&mut tx, id, version).await?;
        tx.commit().await?;
        Ok(Changed::Done(program))
    }

    /// Stops the sale (no new orders; those that exist run their course) or resumes it.
    pub async fn switch_sale(
        &self,
        id: ProgramId,
        to: ProgramStatus,
    ) -> Result<Switched, StoreError> {
        let mut retry = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            let result = self.switch_once(id, to).await;
            if retry.is_due(&result) {
                continue;
            }
            let switched = result?;
            // The sale was as wanted when the UPDATE looked, and has been switched back since.
            if !stale
                .is_due(matches!(&switched, Switched::Already(program) if program.status != to))
            {
                return Ok(switched);
            }
        }
    }

    async fn switch_once(&self, id: ProgramId, to: ProgramStatus) -> Result<Switched, StoreError> {
        let mut tx = self.pool.begin().await?;
        let query = sqlx::query_scalar(include_str!("sql/program_status.sql"))
            .bind(id.get())
            .bind(to.as_str());
        let version: Option<i64> = query.fetch_optional(&mut *tx).await?;
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

/// A category that is to change and does not exist, if any.
async fn update_categories(
    tx: &mut BoundedConnection,
    id: ProgramId,
    change: &ProgramChange,
) -> Result<Option<CategoryNo>, StoreError> {
    let wanted = change.categories();
    if wanted.is_empty() {
        return Ok(None);
    }
    let changed: Vec<i16> = sqlx::query_scalar(include_str!("sql/program_update_categories.sql"))
        .bind(id.get())
        .bind(wanted.iter().map(|c| c.no.get() as i16).collect::<Vec<_>>())
        .bind(wanted.iter().map(|c| c.name.as_deref()).collect::<Vec<_>>())
        .bind(
            wanted
                .iter()
                .map(|c| c.price.map(crate::message::Cents::get))
                .collect::<Vec<_>>(),
        )
        .fetch_all(tx)
        .await?;
    Ok(wanted
        .iter()
        .map(|c| c.no)
        .find(|no| !changed.contains(&(no.get() as i16))))
}

/// Notes the change in the outbox and reads the program as it is by it.
async fn noted(
    tx: &mut BoundedConnection,
    id: ProgramId,
    version: i64,
) -> Result<Program, StoreError> {
    let version = bounded(ProgramVersion::new(version))?;
    outbox::add(tx, ProgramChanged { id, version }).await?;
    let program = programs::read(tx, id).await?;
    program.ok_or_else(|| StoreError::corrupt(format!("program {id} has no categories")))
}

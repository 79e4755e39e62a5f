//! Programs: created and read.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use super::columns::column;
use super::pool::BoundedConnection;
use super::{Store, StoreError, outbox};
use crate::message::{ProgramChanged, ProgramId, Shard};
use crate::sale::{Category, Layout, NewProgram, Program};

impl Store {
    /// Stores a new program. `shard` defaults to [`Program::usual_shard`].
    pub async fn create_program(
        &self,
        new: NewProgram,
        shard: Option<Shard>,
    ) -> Result<Program, StoreError> {
        let program = self.identify_program(new, shard).await?;
        self.add_program(&program).await?;
        Ok(program)
    }

    /// Assigns identity and shard to a new program, as [`Store::create_program`] does, without
    /// storing it.
    pub async fn identify_program(
        &self,
        new: NewProgram,
        shard: Option<Shard>,
    ) -> Result<Program, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/program_identity.sql"));
        let id = query.fetch_one(&self.pool).await?;
        Ok(new.stored(id, shard.unwrap_or_else(|| Program::usual_shard(id))))
    }

    /// Stores a program with an assigned identity. Its first version is added to the outbox,
    /// because a reader may have cached that the program does not exist.
    pub async fn add_program(&self, program: &Program) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query(include_str!("sql/program_create.sql"))
            .bind(program.id)
            .bind(program.shard)
            .bind(&program.title)
            .bind(program.pay_window_ms)
            .bind(program.user_limit as i32)
            .execute(&mut *tx)
            .await?;
        add_categories(&mut tx, program.id, &program.categories).await?;
        let (id, version) = (program.id, program.version);
        outbox::add(&mut tx, ProgramChanged { id, version }).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Programs with identities above `after`, ascending, and their shards.
    pub async fn programs_after(
        &self,
        after: Option<ProgramId>,
        limit: u32,
    ) -> Result<Vec<(ProgramId, Shard)>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/programs_after.sql"))
            .bind(after.map_or(0, ProgramId::get))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// The programs of a shard, ascending.
    pub async fn programs_of_shard(&self, shard: Shard) -> Result<Vec<ProgramId>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/programs_of_shard.sql")).bind(shard);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// A program with its categories.
    pub async fn program(&self, id: ProgramId) -> Result<Option<Program>, StoreError> {
        read(&self.pool, id).await
    }
}

/// Stores new categories.
pub(super) async fn add_categories(
    connection: &mut BoundedConnection,
    id: ProgramId,
    categories: &[Category],
) -> Result<(), StoreError> {
    sqlx::query(include_str!("sql/program_categories.sql"))
        .bind(id)
        .bind(column(categories, |category| category.no))
        .bind(column(categories, |category| category.name.as_str()))
        .bind(column(categories, |category| category.layout.first()))
        .bind(column(categories, |category| category.layout.rows() as i32))
        .bind(column(categories, |category| {
            category.layout.row_len() as i32
        }))
        .bind(column(categories, |category| category.price))
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads program and categories in one statement, so that both are of the same version.
pub(super) async fn read(
    connection: impl PgExecutor<'_>,
    id: ProgramId,
) -> Result<Option<Program>, StoreError> {
    let rows = sqlx::query(include_str!("sql/program.sql"))
        .bind(id)
        .fetch_all(connection)
        .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(program(id, first, &rows)?))
}

/// A program from a row for each of its categories.
pub(super) fn program(id: ProgramId, first: &PgRow, rows: &[PgRow]) -> Result<Program, StoreError> {
    Ok(Program {
        id,
        shard: first.try_get("shard")?,
        title: first.try_get("title")?,
        version: first.try_get("version")?,
        status: first.try_get("status")?,
        pay_window_ms: first.try_get("pay_window_ms")?,
        user_limit: first.try_get::<i32, _>("user_limit")? as u32,
        admissions_per_second: first.try_get("admissions_per_second")?,
        categories: rows.iter().map(category).collect::<Result<_, _>>()?,
    })
}

fn category(row: &PgRow) -> Result<Category, StoreError> {
    let count = |column: &str| row.try_get::<i32, _>(column).map(|n| n as u32);
    let layout = Layout::new(
        row.try_get("first_seat")?,
        count("rows")?,
        count("row_len")?,
    );
    Ok(Category {
        no: row.try_get("no")?,
        name: row.try_get("name")?,
        layout: layout.map_err(|error| sqlx::Error::Decode(error.into()))?,
        price: row.try_get("price_cents")?,
    })
}

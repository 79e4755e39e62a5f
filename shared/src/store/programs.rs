//! Programs: created and read.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use super::row::bounded;
use super::{Store, StoreError, outbox};
use crate::message::{
    CategoryNo, Cents, ProgramChanged, ProgramId, ProgramVersion, SeatIndex, Shard,
};
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
        let id: i64 = query.fetch_one(&self.pool).await?;
        let id = bounded(ProgramId::new(id))?;
        Ok(new.stored(id, shard.unwrap_or_else(|| Program::usual_shard(id))))
    }

    /// Stores a program with an assigned identity. Its first version is added to the outbox,
    /// because a reader may have cached that the program does not exist.
    pub async fn add_program(&self, program: &Program) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query(include_str!("sql/program_create.sql"))
            .bind(program.id.get())
            .bind(i16::from(program.shard.get()))
            .bind(&program.title)
            .bind(program.pay_window_ms)
            .bind(program.user_limit as i32)
            .execute(&mut *tx)
            .await?;
        let column =
            |of: fn(&Category) -> i32| program.categories.iter().map(of).collect::<Vec<_>>();
        sqlx::query(include_str!("sql/program_categories.sql"))
            .bind(program.id.get())
            .bind(
                program
                    .categories
                    .iter()
                    .map(|c| c.no.get() as i16)
                    .collect::<Vec<_>>(),
            )
            .bind(
                program
                    .categories
                    .iter()
                    .map(|c| c.name.as_str())
                    .collect::<Vec<_>>(),
            )
            .bind(column(|c| c.layout.first().get() as i32))
            .bind(column(|c| c.layout.rows() as i32))
            .bind(column(|c| c.layout.row_len() as i32))
            .bind(
                program
                    .categories
                    .iter()
                    .map(|c| c.price.get())
                    .collect::<Vec<_>>(),
            )
            .execute(&mut *tx)
            .await?;
        outbox::add(
            &mut tx,
            ProgramChanged {
                id: program.id,
                version: program.version,
            },
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Programs with identities above `after`, ascending, and their shards.
    pub async fn programs_after(
        &self,
        after: Option<ProgramId>,
        limit: u32,
    ) -> Result<Vec<(ProgramId, Shard)>, StoreError> {
        let rows = sqlx::query(include_str!("sql/programs_after.sql"))
            .bind(after.map_or(0, ProgramId::get))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &PgRow| {
            let shard = row.try_get::<i16, _>("shard")? as u8;
            Ok((
                bounded(ProgramId::new(row.try_get("id")?))?,
                bounded(Shard::new(shard))?,
            ))
        };
        rows.iter().map(read).collect()
    }

    /// The programs of a shard, ascending.
    pub async fn programs_of_shard(&self, shard: Shard) -> Result<Vec<ProgramId>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/programs_of_shard.sql"))
            .bind(i16::from(shard.get()));
        let ids: Vec<i64> = query.fetch_all(&self.pool).await?;
        bounded(ids.into_iter().map(ProgramId::new).collect())
    }

    /// A program with its categories.
    pub async fn program(&self, id: ProgramId) -> Result<Option<Program>, StoreError> {
        read(&self.pool, id).await
    }
}

/// Reads program and categories in one statement, so that both are of the same version.
pub(super) async fn read(
    connection: impl PgExecutor<'_>,
    id: ProgramId,
) -> Result<Option<Program>, StoreError> {
    let rows = sqlx::query(include_str!("sql/program.sql"))
        .bind(id.get())
        .fetch_all(connection)
        .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Program {
        id,
        shard: bounded(Shard::new(first.try_get::<i16, _>("shard")? as u8))?,
        title: first.try_get("title")?,
        version: bounded(ProgramVersion::new(first.try_get("version")?))?,
        status: bounded(first.try_get::<&str, _>("status")?.parse())?,
        pay_window_ms: first.try_get("pay_window_ms")?,
        user_limit: first.try_get::<i32, _>("user_limit")? as u32,
        categories: rows.iter().map(category).collect::<Result<_, _>>()?,
    }))
}

fn category(row: &PgRow) -> Result<Category, StoreError> {
    let count = |column: &str| row.try_get::<i32, _>(column).map(|n| n as u32);
    let first = bounded(SeatIndex::new(count("first_seat")?))?;
    Ok(Category {
        no: bounded(CategoryNo::new(row.try_get::<i16, _>("no")? as u16))?,
        name: row.try_get("name")?,
        layout: bounded(Layout::new(first, count("rows")?, count("row_len")?))?,
        price: bounded(Cents::new(row.try_get("price_cents")?))?,
    })
}

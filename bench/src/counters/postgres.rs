//! Counters of a Postgres database.

use anyhow::Result;
use sqlx::{PgPool, Row};

/// The counters of a database at one time. The server publishes those of a session about a second
/// after its last transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PostgresCounters {
    transactions: i64,
    inserted: i64,
    updated: i64,
    deleted: i64,
    wal_bytes: i64,
    wal_syncs: i64,
    /// `None` without the extension `pg_stat_statements`.
    statements: Option<i64>,
}

/// What a database has done between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PostgresWork {
    pub transactions: i64,
    /// Row versions that were written or deleted.
    pub rows: i64,
    pub wal_bytes: i64,
    pub wal_syncs: i64,
    /// `None` if the server does not count them.
    pub statements: Option<i64>,
}

impl PostgresCounters {
    pub(crate) async fn read(db: &PgPool) -> Result<Self> {
        let row = sqlx::query(include_str!("postgres.sql"))
            .fetch_one(db)
            .await?;
        let statements = sqlx::query(
            "SELECT sum(calls)::int8 FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
             WHERE d.datname = current_database()",
        );
        let statements = statements.fetch_one(db).await.ok();
        Ok(Self {
            transactions: row.try_get("transactions")?,
            inserted: row.try_get("inserted")?,
            updated: row.try_get("updated")?,
            deleted: row.try_get("deleted")?,
            wal_bytes: row.try_get("wal_bytes")?,
            wal_syncs: row.try_get("wal_syncs")?,
            statements: statements.and_then(|row| row.try_get(0).ok()),
        })
    }

    /// The work since an earlier reading.
    pub(crate) fn since(&self, before: &Self) -> PostgresWork {
        PostgresWork {
            transactions: self.transactions - before.transactions,
            rows: (self.inserted + self.updated + self.deleted)
                - (before.inserted + before.updated + before.deleted),
            wal_bytes: self.wal_bytes - before.wal_bytes,
            wal_syncs: self.wal_syncs - before.wal_syncs,
            statements: self
                .statements
                .zip(before.statements)
                .map(|(now, before)| now - before),
        }
    }
}

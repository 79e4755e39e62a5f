//! Brings the schema of an environment up to date.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor};

use super::{ConnectError, Roles, Store, StoreError};
use crate::protection::statement;

/// Maximum silence of Postgres during a migration: slightly longer than its `statement_timeout`
/// below.
const LIMIT: Duration = Duration::from_mins(11);

/// All migrations, in order. A released migration is never changed.
const MIGRATIONS: [Migration; 13] = [
    migration(1, "sale", include_str!("migrations/0001_sale.sql")),
    migration(2, "outbox", include_str!("migrations/0002_outbox.sql")),
    migration(
        3,
        "api_calls",
        include_str!("migrations/0003_api_calls.sql"),
    ),
    migration(4, "parked", include_str!("migrations/0004_parked.sql")),
    migration(5, "barriers", include_str!("migrations/0005_barriers.sql")),
    migration(
        6,
        "named_orders",
        include_str!("migrations/0006_named_orders.sql"),
    ),
    migration(7, "payments", include_str!("migrations/0007_payments.sql")),
    migration(8, "sweep", include_str!("migrations/0008_sweep.sql")),
    migration(9, "refunds", include_str!("migrations/0009_refunds.sql")),
    migration(
        10,
        "blocked_seats",
        include_str!("migrations/0010_blocked_seats.sql"),
    ),
    migration(
        11,
        "waiting_room",
        include_str!("migrations/0011_waiting_room.sql"),
    ),
    migration(
        12,
        "call_files",
        include_str!("migrations/0012_call_files.sql"),
    ),
    migration(
        14,
        "retention",
        include_str!("migrations/0014_retention.sql"),
    ),
];

struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const fn migration(version: i32, name: &'static str, sql: &'static str) -> Migration {
    Migration { version, name, sql }
}

impl Migration {
    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.sql).into()
    }
}

/// Result of a migration run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Migrated {
    /// The environment's schema.
    pub schema: String,
    /// Migrations applied by this run, in order. Empty if the schema was up to date.
    pub applied: Vec<String>,
    /// Version of the schema after the run.
    pub version: i32,
    /// Roles that were given their rights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<String>,
}

impl Store {
    /// Creates the schema if it is missing and applies the missing migrations, in one transaction
    /// under an advisory lock: safe to repeat, and safe to run from two deployments concurrently.
    /// Refuses a schema whose applied migrations differ from this program's.
    pub async fn migrate(&self) -> Result<Migrated, StoreError> {
        // On the heap: callers that run once at a start do not carry its future.
        Box::pin(self.migrate_for(&Roles::default())).await
    }

    /// As [`Self::migrate`]; in the same transaction the rights of these roles are replaced.
    pub async fn migrate_for(&self, roles: &Roles) -> Result<Migrated, StoreError> {
        let mut tx = self.pool.within(LIMIT).begin().await?;
        // An index on a large table takes long to build, and so may the run of another deployment.
        tx.execute("SET LOCAL statement_timeout = '10min'").await?;
        tx.execute("SET LOCAL lock_timeout = '2min'").await?;
        sqlx::query(include_str!("sql/migrate_lock.sql"))
            .bind(&self.schema)
            .execute(&mut *tx)
            .await?;
        // `naming` made the schema's name from a checked prefix: letters, digits and underscores.
        tx.execute(AssertSqlSafe(format!(
            "CREATE SCHEMA IF NOT EXISTS {}",
            self.schema
        )))
        .await?;
        let schema = sqlx::query_scalar("SELECT coalesce(current_schema()::text, '')");
        let found: String = schema.fetch_one(&mut *tx).await?;
        if found != self.schema {
            let expected = self.schema.clone();
            return Err(ConnectError::OtherSchema { expected, found }.into());
        }
        tx.execute(include_str!("sql/migrate_table.sql")).await?;
        let known = sqlx::query_as(include_str!("sql/migrate_applied.sql"));
        let known: Vec<(i32, Vec<u8>)> = known.fetch_all(&mut *tx).await?;
        let known = BTreeMap::from_iter(known);
        let mut done = Vec::new();
        let newest = MIGRATIONS.last().map_or(0, |last| last.version);
        let strange = |version: &&i32| MIGRATIONS.iter().all(|m| m.version != **version);
        if let Some(version) = known
            .range(..=newest)
            .map(|(version, _)| version)
            .find(strange)
        {
            return Err(self.foreign(*version));
        }
        for migration in &MIGRATIONS {
            // By version, not by position: versions may be released in another order than numbered.
            match known.get(&migration.version) {
                Some(hash) if hash[..] == migration.hash() => {}
                Some(_) => return Err(self.foreign(migration.version)),
                None => {
                    sqlx::raw_sql(statement(migration.name, migration.sql))
                        .execute(&mut *tx)
                        .await?;
                    sqlx::query(include_str!("sql/migrate_record.sql"))
                        .bind(migration.version)
                        .bind(migration.name)
                        .bind(migration.hash().as_slice())
                        .execute(&mut *tx)
                        .await?;
                    done.push(format!("{:04}_{}", migration.version, migration.name));
                }
            }
        }
        let granted = self.grant(&mut tx, roles).await?;
        tx.commit().await?;
        // A schema that is ahead of this program is accepted: migrations only add.
        let version = known
            .last_key_value()
            .map_or(newest, |(version, _)| newest.max(*version));
        Ok(Migrated {
            schema: self.schema.clone(),
            applied: done,
            version,
            granted,
        })
    }

    fn foreign(&self, version: i32) -> StoreError {
        StoreError {
            hint: "; an applied migration must never be edited: restore its text and add a new one",
            ..StoreError::unknown(format!(
                "migration {version} of schema {} is not the one this program carries",
                self.schema
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_ascend_from_one() {
        assert_eq!(MIGRATIONS[0].version, 1);
        assert!(MIGRATIONS.is_sorted_by(|one, next| one.version < next.version));
    }
}

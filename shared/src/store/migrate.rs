//! Brings the schema of an environment up to date.

use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor};

use super::pool::BoundedConnection;
use super::{Store, StoreError};
use lambda_batch::ErrorClass;

/// Maximum silence of Postgres during a migration: slightly longer than its `statement_timeout`
/// below.
const LIMIT: Duration = Duration::from_mins(11);

/// All migrations, in order. A released migration is never changed.
const MIGRATIONS: [Migration; 8] = [
    Migration {
        version: 1,
        name: "sale",
        sql: include_str!("migrations/0001_sale.sql"),
    },
    Migration {
        version: 2,
        name: "outbox",
        sql: include_str!("migrations/0002_outbox.sql"),
    },
    Migration {
        version: 3,
        name: "api_calls",
        sql: include_str!("migrations/0003_api_calls.sql"),
    },
    Migration {
        version: 4,
        name: "parked",
        sql: include_str!("migrations/0004_parked.sql"),
    },
    Migration {
        version: 5,
        name: "barriers",
        sql: include_str!("migrations/0005_barriers.sql"),
    },
    Migration {
        version: 6,
        name: "named_orders",
        sql: include_str!("migrations/0006_named_orders.sql"),
    },
    Migration {
        version: 7,
        name: "payments",
        sql: include_str!("migrations/0007_payments.sql"),
    },
    Migration {
        version: 8,
        name: "sweep",
        sql: include_str!("migrations/0008_sweep.sql"),
    },
];

struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
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
}

impl Store {
    /// Creates the schema if it is missing and applies the missing migrations, in one transaction
    /// under an advisory lock: safe to repeat, and safe to run from two deployments concurrently.
    /// Refuses a schema whose applied migrations differ from this program's.
    pub async fn migrate(&self) -> Result<Migrated, StoreError> {
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
        tx.execute(include_str!("sql/migrate_table.sql")).await?;
        let known = applied(&mut tx).await?;
        let mut done = Vec::new();
        let newest = MIGRATIONS.last().map_or(0, |last| last.version);
        let strange =
            |version: &i32| *version <= newest && MIGRATIONS.iter().all(|m| m.version != *version);
        if let Some((version, _)) = known.iter().find(|(version, _)| strange(version)) {
            return Err(self.foreign(*version));
        }
        for migration in &MIGRATIONS {
            // By version, not by position: versions may be released in another order than numbered.
            match known
                .iter()
                .find(|(version, _)| *version == migration.version)
            {
                Some((_, hash)) if hash[..] == migration.hash() => {}
                Some((version, _)) => return Err(self.foreign(*version)),
                None => {
                    sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
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
        tx.commit().await?;
        // A schema that is ahead of this program is accepted: migrations only add.
        let version = known
            .iter()
            .map(|(version, _)| *version)
            .chain(MIGRATIONS.iter().map(|m| m.version))
            .max();
        Ok(Migrated {
            schema: self.schema.clone(),
            applied: done,
            version: version.unwrap_or_default(),
        })
    }

    fn foreign(&self, version: i32) -> StoreError {
        StoreError {
            class: ErrorClass::Unknown,
            sqlstate: None,
            message: format!(
                "migration {version} of schema {} is not the one this program carries",
                self.schema
            ),
            hint: "; an applied migration must never be edited: restore its text and add a new one",
        }
    }
}

async fn applied(connection: &mut BoundedConnection) -> Result<Vec<(i32, Vec<u8>)>, StoreError> {
    Ok(sqlx::query_as(include_str!("sql/migrate_applied.sql"))
        .fetch_all(connection)
        .await?)
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

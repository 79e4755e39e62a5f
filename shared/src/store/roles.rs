//! Rights of the roles by which functions and reports log in. A migration grants them.

use sqlx::{AssertSqlSafe, Executor};

use super::pool::PooledConnection;
use super::{Store, StoreError};

/// Roles of the database that a migration gives exactly the rights that they need in the schema.
/// They exist already: an administrator creates them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// The functions log in as this role: it reads and writes rows, and changes no table.
    pub writer: Option<String>,
    /// Reports log in as this role: it reads rows.
    pub reader: Option<String>,
}

/// Tables whose rows are deleted. Of all others each row is kept for ever.
const DELETED: &str = "order_seats, blocked_seats, outbox, barrier_waits, unsettled, api_calls, \
                       api_minutes, api_files, orders, payments, refunds, parked, parked_replays, \
                       progress_gaps";
/// The sequence that a statement reads by its name (`program_identity.sql`). Those of other columns
/// need no right.
const SEQUENCE: &str = "programs_id_seq";

impl Store {
    /// Replaces all rights of the roles in the schema. Returns the roles.
    pub(super) async fn grant(
        &self,
        tx: &mut PooledConnection,
        roles: &Roles,
    ) -> Result<Vec<String>, StoreError> {
        let schema = &self.schema;
        let mut granted = Vec::new();
        let writes = Some("INSERT, UPDATE");
        for (role, writes) in [(&roles.writer, writes), (&roles.reader, None)] {
            let Some(name) = role else {
                continue;
            };
            let role = quoted(name);
            let mut sql = format!(
                "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
                 REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
                 REVOKE ALL ON SCHEMA {schema} FROM {role};
                 GRANT USAGE ON SCHEMA {schema} TO {role};
                 GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};"
            );
            if let Some(writes) = writes {
                let more = format!(
                    "GRANT {writes} ON ALL TABLES IN SCHEMA {schema} TO {role};
                     REVOKE {writes} ON migrations FROM {role};
                     GRANT DELETE ON {DELETED} TO {role};
                     GRANT USAGE ON SEQUENCE {SEQUENCE} TO {role};"
                );
                sql.push_str(&more);
            }
            let done = tx.execute(AssertSqlSafe(sql)).await;
            done.map_err(|error| refused(name, error.into()))?;
            // A role without the right to grant only causes a warning.
            let lacking = sqlx::query_scalar(include_str!("sql/roles_lacking.sql"))
                .bind(name)
                .bind(schema)
                .fetch_one(&mut **tx);
            let lacking: i64 = lacking.await?;
            if lacking > 0 {
                return Err(StoreError {
                    hint: "; run Migrate as the role that owns the schema and its tables",
                    ..StoreError::unknown(format!("{lacking} tables cannot be granted to {name}"))
                });
            }
            granted.push(name.clone());
        }
        Ok(granted)
    }
}

/// 42704: the role does not exist.
fn refused(role: &str, error: StoreError) -> StoreError {
    if error.sqlstate.as_deref() != Some("42704") {
        return error;
    }
    StoreError {
        message: format!("no rights are granted to {role}: {}", error.message),
        hint: "; create the role first, or change DATABASE_WRITER_ROLE or DATABASE_READER_ROLE",
        ..error
    }
}

/// An identifier of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("a\"; DROP"), "\"a\"\"; DROP\"");
    }
}

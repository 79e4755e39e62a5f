//! The migration of the schema.

use shared::access::{Access, SourceError};
use shared::store::{Migrated, Store, StoreError};

use crate::Settings;

/// Why the schema is not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// There is no login or certificate.
    #[error(transparent)]
    Access(#[from] SourceError),
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the login, connects and migrates. All of it in the invocation: `CloudFormation` waits an hour
/// for the answer of a function that ends at its start.
pub async fn migrate(settings: &Settings) -> Result<Migrated, MigrateError> {
    let access = Access::open(&settings.access).await?;
    let database = access.database(&settings.database)?;
    let store = Store::open(&database, &settings.names, settings.connections)?;
    let migrated = store.migrate_for(&settings.roles).await;
    store.disconnect().await;
    Ok(migrated?)
}

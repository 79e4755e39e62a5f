//! Parks records that can never be stored, with their raw bytes.

use sha2::{Digest, Sha256};

use super::columns::column;
use super::pool::BoundedConnection;
use super::{Arrival, StoreError};
use lambda_batch::Reason;

/// Parks records in the transaction that advances over them.
pub(crate) async fn park<M>(
    connection: &mut BoundedConnection,
    arrivals: &[Arrival<'_, M>],
    records: &[(usize, Reason)],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let of = || records.iter().map(|(at, _)| &arrivals[*at]);
    sqlx::query(include_str!("sql/park.sql"))
        .bind(column(of(), |arrival| arrival.topic))
        .bind(column(of(), |arrival| arrival.partition))
        .bind(column(of(), |arrival| arrival.offset))
        .bind(column(of(), |arrival| arrival.appended_ms))
        .bind(column(of(), hash))
        .bind(column(of(), |arrival| arrival.key))
        .bind(column(of(), |arrival| arrival.value))
        .bind(column(records, |(_, reason)| reason.as_str()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Distinguishes records at the same offset of a topic that was created again. Missing and empty
/// differ.
fn hash<M>(arrival: &Arrival<'_, M>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [arrival.key, arrival.value] {
        let length = part.map_or(-1, |bytes| bytes.len() as i64);
        hash.update(length.to_be_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.finalize().to_vec()
}

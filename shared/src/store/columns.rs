//! Columns: values with bounds, whose decoding checks them, rows of named columns, and columns of
//! array arguments.

use crate::message::{
    AdmissionRate, BodyHash, CallId, CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber,
    ProgramId, ProgramVersion, SeatIndex, Shard, TraceId, UserId,
};
use crate::sale::{ProgramStatus, Status};

/// One field of each row: a column of an array argument.
pub(crate) fn column<T, V>(rows: impl IntoIterator<Item = T>, field: impl Fn(T) -> V) -> Vec<V> {
    rows.into_iter().map(field).collect()
}

/// A value that is stored as another type.
macro_rules! stored_as {
    ($value:ty, $stored:ty, $found:ident => $decoded:expr, $given:ident => $encoded:expr) => {
        impl sqlx::Type<sqlx::Postgres> for $value {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                <$stored as sqlx::Type<sqlx::Postgres>>::type_info()
            }

            fn compatible(other: &sqlx::postgres::PgTypeInfo) -> bool {
                <$stored as sqlx::Type<sqlx::Postgres>>::compatible(other)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $value {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                <$stored as sqlx::postgres::PgHasArrayType>::array_type_info()
            }
        }

        impl sqlx::Decode<'_, sqlx::Postgres> for $value {
            fn decode(
                value: sqlx::postgres::PgValueRef<'_>,
            ) -> Result<Self, sqlx::error::BoxDynError> {
                let $found = <$stored as sqlx::Decode<sqlx::Postgres>>::decode(value)?;
                Ok($decoded)
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for $value {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                let $given = self;
                sqlx::Encode::<sqlx::Postgres>::encode($encoded, buffer)
            }
        }
    };
}

/// A bounded number in an integer column.
macro_rules! number_column {
    ($value:ty, $stored:ty) => {
        $crate::store::columns::stored_as!(
            $value, $stored, n => Self::new(n.try_into()?)?,
            value => <$stored>::try_from(value.get())?
        );
    };
}

/// A bounded text in a text column.
macro_rules! text_column {
    ($value:ty) => {
        stored_as!($value, String, text => Self::new(text)?, value => value.as_str());
    };
}

/// An enum in a text column, as its words.
macro_rules! word_column {
    ($value:ty) => {
        $crate::store::columns::stored_as!(
            $value, String, word => word.parse()?, value => value.as_str()
        );
    };
}

/// So many bytes in a byte column.
macro_rules! bytes_column {
    ($value:ty, $length:literal) => {
        stored_as!($value, [u8; $length], bytes => Self::new(bytes), value => value.bytes());
    };
}

/// `FromRow` by the names of the fields, or of their columns where these differ; behind the `;`
/// fields that are rows themselves.
macro_rules! from_row {
    ($name:ident { $($field:ident $(= $column:literal)?),* $(,)? $(; $($part:ident),*)? }) => {
        impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                Ok(Self {
                    $($field: sqlx::Row::try_get(
                        row,
                        $crate::store::columns::from_row!(@column $field $($column)?),
                    )?,)*
                    $($($part: sqlx::FromRow::from_row(row)?,)*)?
                })
            }
        }
    };
    (@column $field:ident) => {
        stringify!($field)
    };
    (@column $field:ident $column:literal) => {
        $column
    };
}

pub(crate) use {from_row, number_column, stored_as, word_column};

number_column!(OrderNumber, i64);
number_column!(ProgramId, i64);
number_column!(ProgramVersion, i64);
number_column!(Cents, i64);
number_column!(AdmissionRate, i32);
number_column!(SeatIndex, i32);
number_column!(CategoryNo, i16);
number_column!(Shard, i16);
text_column!(UserId);
text_column!(IdempotencyKey);
word_column!(ProgramStatus);
word_column!(Status);
bytes_column!(Nonce, 16);
bytes_column!(CallId, 16);
bytes_column!(TraceId, 16);
bytes_column!(BodyHash, 32);

//! A connection whose statements are bounded in time.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};
use sqlx::{Either, Error, Execute, Executor, SqlStr};
use tokio::time::timeout;

use super::open::OpenConnection;
use super::unfit;

/// Runs statements as [`sqlx::PgConnection`] does, each bounded; see [`super`].
#[derive(Debug)]
pub(crate) struct BoundedConnection {
    /// `None` once it is closed.
    kept: Option<OpenConnection>,
    limit: Duration,
    /// The last statement has ended: no answer of Postgres is to come. False after an error as
    /// well, since the end of the statement follows it.
    at_rest: bool,
}

impl BoundedConnection {
    pub(super) fn new(connection: OpenConnection, limit: Duration) -> Self {
        Self {
            kept: Some(connection),
            limit,
            at_rest: true,
        }
    }

    /// Runs a query to its end. The limit applies to the silence between two answers, so a long
    /// result may take longer.
    pub(super) async fn collect<'q, E>(
        &mut self,
        query: E,
    ) -> Result<Vec<Either<PgQueryResult, PgRow>>, Error>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let open = self.kept.as_mut().ok_or_else(unfit::closed)?;
        self.at_rest = false;
        let mut answers = open.connection.fetch_many(query);
        let mut found = Vec::new();
        let result = loop {
            match timeout(self.limit, answers.next()).await {
                Ok(Some(Ok(answer))) => found.push(answer),
                Ok(Some(Err(error))) => break Err(error),
                Ok(None) => break Ok(found),
                Err(_) => break Err(unfit::silent(self.limit)),
            }
        };
        drop(answers);
        self.examined(result)
    }

    /// Takes the connection out, to return it to the pool, and whether it is at rest.
    pub(super) fn take(&mut self) -> (Option<OpenConnection>, bool) {
        (self.kept.take(), self.at_rest)
    }

    /// Closes the connection if the error makes it unusable.
    fn examined<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        match &result {
            Ok(_) => self.at_rest = true,
            Err(error) if unfit::is_unfit(error) => {
                if let Some(open) = self.kept.take() {
                    open.distrust_others();
                }
            }
            Err(_) => {}
        }
        result
    }
}

impl<'c> Executor<'c> for &'c mut BoundedConnection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        stream::once(self.collect(query))
            .map_ok(|found| stream::iter(found).map(Ok))
            .try_flatten()
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let found = self.collect(query).await?;
            Ok(found.into_iter().find_map(Either::right))
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let open = self.kept.as_mut().ok_or_else(unfit::closed)?;
            self.at_rest = false;
            let statement = open.connection.prepare_with(sql, parameters);
            let statement = timeout(self.limit, statement).await;
            let statement = statement.unwrap_or_else(|_| Err(unfit::silent(self.limit)));
            self.examined(statement)
        })
    }
}

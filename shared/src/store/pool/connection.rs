//! A connection whose statements are bounded in time.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};
use sqlx::{Either, Error, Execute, Executor, SqlStr};
use tokio::time::timeout;

use super::{IdleDistrust, unfit};

/// Runs statements as [`sqlx::PgConnection`] does, each bounded; see [`super`].
#[derive(Debug)]
pub(crate) struct BoundedConnection {
    /// `None` once it is closed.
    kept: Option<PoolConnection<Postgres>>,
    limit: Duration,
    distrust: IdleDistrust,
}

impl BoundedConnection {
    pub(super) fn new(
        connection: PoolConnection<Postgres>,
        limit: Duration,
        distrust: IdleDistrust,
    ) -> Self {
        Self {
            kept: Some(connection),
            limit,
            distrust,
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
        let connection = self.kept.as_deref_mut().ok_or_else(unfit::closed)?;
        let mut answers = connection.fetch_many(query);
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

    /// Takes the connection out, to return it to the pool.
    pub(super) fn take(&mut self) -> Option<PoolConnection<Postgres>> {
        self.kept.take()
    }

    /// Closes the connection if the error makes it unusable.
    fn examined<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && unfit::is_unfit(error)
        {
            self.distrust.begin();
            // Detached from the pool first: the pool would wait for an answer before it closes the
            // socket.
            drop(self.kept.take().map(PoolConnection::detach));
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
            let connection = self.kept.as_deref_mut().ok_or_else(unfit::closed)?;
            let statement = timeout(self.limit, connection.prepare_with(sql, parameters)).await;
            let statement = statement.unwrap_or_else(|_| Err(unfit::silent(self.limit)));
            self.examined(statement)
        })
    }
}

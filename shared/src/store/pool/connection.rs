//! A connection whose statements are bounded in time.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};
use sqlx::{Either, Error, Execute, Executor, SqlSafeStr, SqlStr};
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
    /// A transaction may be open.
    in_transaction: bool,
}

/// What is under way on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    Complete,
    /// Answers to a statement are still to come.
    Answers,
    /// A transaction may be open.
    OpenTransaction,
}

impl BoundedConnection {
    pub(super) fn new(connection: OpenConnection, limit: Duration) -> Self {
        Self {
            kept: Some(connection),
            limit,
            at_rest: true,
            in_transaction: false,
        }
    }

    /// The statements that begin a transaction behind a pooler.
    fn begin_pooled(&self) -> Option<SqlStr> {
        self.kept.as_ref()?.session.pooled.clone()
    }

    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        // Set first: a BEGIN whose answer is lost may have been executed.
        self.in_transaction = true;
        let begin = self.begin_pooled();
        let begin = begin.unwrap_or_else(|| "BEGIN".into_sql_str());
        self.run(begin).await.map(drop)
    }

    /// After an error without an SQLSTATE the commit may have been made.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        self.run("COMMIT").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Runs a query to its end.
    pub(super) async fn collect<'q, E>(&mut self, query: E) -> Result<Answers, Error>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        if self.begin_pooled().is_none() {
            return self.run(query).await;
        }
        // On the heap: a direct connection does without these futures.
        Box::pin(self.collect_pooled(query)).await
    }

    async fn collect_pooled<'q, E>(&mut self, query: E) -> Result<Answers, Error>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        if self.in_transaction {
            return self.run(Unnamed(query)).await;
        }
        // The two steps of an unnamed statement, and the settings, need one session.
        self.begin().await?;
        match self.run(Unnamed(query)).await {
            Ok(found) => self.commit().await.map(|()| found),
            Err(error) => {
                if self.kept.is_some() && self.run("ROLLBACK").await.is_ok() {
                    self.in_transaction = false;
                }
                Err(error)
            }
        }
    }

    /// The limit applies to the silence between two answers, so a long result may take longer.
    async fn run<'q, E>(&mut self, query: E) -> Result<Answers, Error>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let open = self.kept.as_mut().ok_or_else(unfit::closed)?;
        self.at_rest = false;
        let watch = open.watch();
        let mut answers = open.session.connection.fetch_many(query);
        let mut found = Vec::new();
        let result = loop {
            match watch.answer(self.limit, answers.next()).await {
                Ok(Some(Ok(answer))) => found.push(answer),
                Ok(Some(Err(error))) | Err(error) => break Err(error),
                Ok(None) => break Ok(found),
            }
        };
        drop(answers);
        self.examined(result)
    }

    /// Takes the connection out, to return it to the pool, and what is under way on it.
    pub(super) fn take(&mut self) -> Option<(OpenConnection, Rest)> {
        let rest = match (self.in_transaction, self.at_rest) {
            (true, _) => Rest::OpenTransaction,
            (false, false) => Rest::Answers,
            (false, true) => Rest::Complete,
        };
        Some((self.kept.take()?, rest))
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

/// What a query returned.
type Answers = Vec<Either<PgQueryResult, PgRow>>;

/// A query that is not prepared by name: behind a pooler, the name may exist in another session, or
/// stand for another statement.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
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
            let statement = open.session.connection.prepare_with(sql, parameters);
            let statement = timeout(self.limit, statement).await;
            let statement = statement.unwrap_or_else(|_| Err(unfit::silent(self.limit)));
            self.examined(statement)
        })
    }
}

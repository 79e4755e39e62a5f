//! Servers that are cut off, crash, freeze, are demoted or replaced while a store is in use. Each
//! test has a server of its own, behind a relay that stands for its name.
//!
//! What the store sends next works within [`RECOVERY`] of the event after which it can, in the same
//! process; and no call takes longer than its bound.

use std::time::{Duration, Instant};

use lambda_batch::ErrorClass;
use shared::naming::Names;
use shared::store::{ConnectError, Store, StoreError};
use testkit::private_postgres::PrivatePostgres;
use testkit::relay::Relay;
use tokio::task::JoinHandle;

use crate::environment::{MIN_PAY_MS, arrival, look, order};

const RECOVERY: Duration = Duration::from_secs(5);
/// A connection is waited for 3 s, and an idle one is tried for 1 s.
const CONNECT_BOUND: Duration = Duration::from_secs(5);

struct Fixture {
    relay: Relay,
    store: Store,
}

impl Fixture {
    /// A migrated schema, and a store whose connections lead through a relay.
    async fn new(server: &PrivatePostgres) -> Self {
        let relay = Relay::start(server.port()).await;
        let names = Names::new("replaced").expect("a prefix");
        let url = format!("postgres://usher@127.0.0.1:{}/usher", relay.port());
        let store = Store::connect(&url, &names, 4).expect("an address");
        store.migrate().await.expect("migrated");
        Self { relay, store }
    }

    /// Stores an order of its own.
    async fn write(&self) -> Result<(), StoreError> {
        let one = order("alice", rand::random_range(1..1 << 40), &[1]);
        let arrivals = [arrival(0, 0, &one)];
        let stored = self.store.store_orders(&arrivals, MIN_PAY_MS).await;
        stored.unfinished.map_or(Ok(()), |rest| Err(rest.error))
    }

    /// Writes until it succeeds, within the promised time.
    async fn recovers(&self) {
        let began = Instant::now();
        while let Err(error) = self.write().await {
            assert_eq!(error.class, ErrorClass::Unavailable, "{error}");
            assert!(began.elapsed() < RECOVERY, "{error}");
        }
        assert!(began.elapsed() < RECOVERY, "{:?}", began.elapsed());
        look(&self.store).await.expect("reads work as well");
    }

    /// A read that waits for a lock on its table, as the server shows, and the lock.
    async fn waiting(
        &self,
        server: &PrivatePostgres,
    ) -> (JoinHandle<Result<(), StoreError>>, sqlx::PgConnection) {
        let mut lock = server.connect("usher").await.expect("connected");
        sqlx::raw_sql("BEGIN; LOCK TABLE replaced.orders IN ACCESS EXCLUSIVE MODE")
            .execute(&mut lock)
            .await
            .expect("locked");
        let store = self.store.clone();
        let busy = tokio::spawn(async move { look(&store).await });
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        testkit::until("the read waits", async || {
            let waits = sqlx::query_scalar(waits).fetch_one(&mut lock).await;
            waits.expect("a truth value")
        })
        .await;
        (busy, lock)
    }
}

/// The statement failed as in an outage, without an answer.
async fn unanswered(busy: JoinHandle<Result<(), StoreError>>) {
    let error = busy.await.expect("no panic").expect_err("no answer");
    assert_eq!(
        (error.class, &error.sqlstate),
        (ErrorClass::Unavailable, &None),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_out() {
    let server = PrivatePostgres::start().await;
    let fixture = Fixture::new(&server).await;
    let (busy, lock) = fixture.waiting(&server).await;
    fixture.relay.silence().await;
    drop(lock);
    let began = Instant::now();
    unanswered(busy).await;
    assert!(began.elapsed() < RECOVERY, "{:?}", began.elapsed());
    fixture.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_is_waited_for() {
    let server = PrivatePostgres::start().await;
    let fixture = Fixture::new(&server).await;
    let (busy, lock) = fixture.waiting(&server).await;
    let before = fixture.relay.accepted();
    let looks = async || fixture.relay.accepted() > before;
    testkit::until("its session is looked for", looks).await;
    drop(lock);
    busy.await.expect("no panic").expect("its answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_connections_are_replaced() {
    let server = PrivatePostgres::start().await;
    let fixture = Fixture::new(&server).await;
    let (busy, lock) = fixture.waiting(&server).await;
    fixture.relay.disconnect().await;
    unanswered(busy).await;
    drop(lock);
    fixture.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashed_is_used_again() {
    let mut server = PrivatePostgres::start().await;
    let fixture = Fixture::new(&server).await;
    let (busy, _lock) = fixture.waiting(&server).await;
    server.crash();
    unanswered(busy).await;
    let began = Instant::now();
    fixture.write().await.expect_err("no server");
    assert!(began.elapsed() < CONNECT_BOUND, "{:?}", began.elapsed());
    server.start_again();
    // Until recovery from the crash has ended.
    server.admin("SELECT 1").await;
    fixture.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_takes_over_from_a_frozen_primary() {
    let server = PrivatePostgres::start().await;
    let fixture = Fixture::new(&server).await;
    let standby = server.standby().await;
    let (busy, _lock) = fixture.waiting(&server).await;
    server.freeze();
    let began = Instant::now();
    fixture.write().await.expect_err("frozen");
    assert!(began.elapsed() < CONNECT_BOUND, "{:?}", began.elapsed());
    standby.promote().await;
    fixture.relay.redirect(standby.port());
    let began = Instant::now();
    fixture.recovers().await;
    unanswered(busy).await;
    assert!(began.elapsed() < RECOVERY, "{:?}", began.elapsed());
    server.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_left_for_the_primary() {
    let server = PrivatePostgres::start().await;
    let fixture = Fixture::new(&server).await;
    let standby = server.standby().await;
    fixture.relay.redirect(standby.port());
    fixture.relay.disconnect().await;
    let began = Instant::now();
    // A connection that was used a moment ago is used without being tried first: it ends then.
    let refused = loop {
        let error = fixture.write().await.expect_err("a standby");
        assert!(began.elapsed() < CONNECT_BOUND, "{:?}", began.elapsed());
        assert_eq!(error.class, ErrorClass::Unavailable, "{error}");
        if let Some(refused) = error.connect {
            break refused;
        }
    };
    assert!(
        matches!(*refused, ConnectError::ReadOnly { .. }),
        "{refused}"
    );
    standby.promote().await;
    fixture.recovers().await;
}

/// A process of Lambda may be frozen for minutes, and a server as well: seconds take the same path,
/// since they are longer than every pause of the pool.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_frozen_is_used_again() {
    let server = PrivatePostgres::start().await;
    let fixture = Fixture::new(&server).await;
    fixture.write().await.expect("stored");
    server.freeze();
    for _ in 0..2 {
        let began = Instant::now();
        let short = fixture.store.clone();
        let short = short.answering_within(Duration::from_secs(6));
        look(&short).await.expect_err("frozen");
        assert!(began.elapsed() < Duration::from_secs(9));
    }
    server.thaw();
    fixture.recovers().await;
}

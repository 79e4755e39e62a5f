//! The pool of connections: how many are opened, when they are used again, and when they are closed.

use std::time::Duration;

use lambda_batch::ErrorClass;
use shared::store::StoreError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::environment::{MIN_PAY_MS, arrival, look, order, with};

#[tokio::test(flavor = "multi_thread")]
async fn callers_share_the_connections() {
    with(|env| async move {
        let (relay, store) = env.behind_relay(3).await;
        let callers: Vec<_> = (0..40)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    for _ in 0..20 {
                        look(&store).await?;
                    }
                    Ok::<(), StoreError>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await.expect("no panic").expect("postgres");
        }
        assert!((1..=3).contains(&relay.accepted()), "{}", relay.accepted());
    })
    .await;
}

#[tokio::test]
async fn statements_in_turn_use_one_connection() {
    with(|env| async move {
        let (relay, store) = env.behind_relay(8).await;
        for _ in 0..20 {
            look(&store).await.expect("postgres");
        }
        assert_eq!(relay.accepted(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_leaves_its_connection_usable() {
    with(|env| async move {
        let (relay, store) = env.behind_relay(1).await;
        env.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '53100'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
        let one = order("alice", 7, &[1]);
        let arrivals = [arrival(0, 0, &one)];
        let stored = store.store_orders(&arrivals, MIN_PAY_MS).await;
        let refused = stored.unfinished.expect("refused").error;
        assert_eq!(refused.sqlstate.as_deref(), Some("53100"));
        env.run("DROP TRIGGER refuse ON orders").await;
        let stored = store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!((stored.unfinished, stored.orders.len()), (None, 1));
        assert_eq!(relay.accepted(), 1, "the transaction was rolled back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_statement_ends_before_the_next() {
    with(|env| async move {
        let (relay, store) = env.behind_relay(1).await;
        let mut lock = env.raw.begin().await.expect("postgres");
        sqlx::query("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await
            .expect("locked");
        let busy = tokio::spawn({
            let store = store.clone();
            async move { look(&store).await }
        });
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                       AND application_name = current_schema()";
        let held = async {
            while env.number(waiting).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), held)
            .await
            .expect("the statement waits for the lock");
        busy.abort();
        assert!(busy.await.is_err_and(|end| end.is_cancelled()));
        lock.rollback().await.expect("postgres");
        look(&store).await.expect("its answer, not the other's");
        assert_eq!(relay.accepted(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pool_lends_no_connection() {
    with(|env| async move {
        let (_relay, store) = env.behind_relay(2).await;
        look(&store).await.expect("postgres");
        tokio::time::timeout(Duration::from_secs(20), store.disconnect())
            .await
            .expect("all connections are returned");
        let error = look(&store).await.expect_err("closed");
        assert_eq!(error.class, ErrorClass::Unavailable, "{error}");
    })
    .await;
}

/// Starts a server that has no session free. Returns its port.
async fn full_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            // The client's first message has at least its length and its kind.
            let _ = client.read_exact(&mut [0; 8]).await;
            let fields = b"SFATAL\0VFATAL\0C53300\0Mtoo many clients\0\0";
            let mut error = vec![b'E'];
            error.extend((4 + fields.len() as u32).to_be_bytes());
            error.extend(fields);
            let _ = client.write_all(&error).await;
            let _ = client.read_to_end(&mut Vec::new()).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_leaves_the_returned_connections() {
    with(|env| async move {
        let (relay, store) = env.behind_relay(2).await;
        look(&store).await.expect("postgres");
        relay.redirect(full_server().await);
        let mut lock = env.raw.begin().await.expect("postgres");
        sqlx::query("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await
            .expect("locked");
        let looks = [(); 2].map(|()| {
            let store = store.clone();
            tokio::spawn(async move { look(&store).await })
        });
        let refused = async {
            while relay.accepted() < 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), refused)
            .await
            .expect("the second connection is tried again");
        lock.rollback().await.expect("postgres");
        for look in looks {
            look.await.expect("no panic").expect("one after the other");
        }
    })
    .await;
}

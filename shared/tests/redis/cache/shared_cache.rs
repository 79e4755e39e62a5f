//! The shared cache: what is kept, what is refused, what survives.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::cache::{PutLease, PutResult, Raised, SharedCache, SharedLookup};
use shared::sale::Program;

use super::environment::{LONG, TestEnvironment, change, id, program};
use testkit::redis::PrivateRedis;

async fn miss(cache: &SharedCache, n: i64) -> PutLease {
    match cache.get(id(n), rand::random()).await {
        Ok(SharedLookup::Miss(lease)) => lease,
        other => panic!("expected a miss, got {other:?}"),
    }
}

async fn put(cache: &SharedCache, n: i64, lease: &PutLease, found: Option<&Program>) -> PutResult {
    cache
        .put(id(n), lease, found, LONG)
        .await
        .expect("Redis runs")
}

#[tokio::test]
async fn what_was_missed_and_put_is_found_by_everybody() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let lease = miss(&cache, 7).await;
    assert_eq!(
        miss(&environment.shared(), 7).await,
        lease,
        "those who miss together share a lease"
    );
    assert_eq!(
        put(&cache, 7, &lease, Some(&program(7, 1))).await,
        PutResult::Stored
    );
    assert_eq!(
        environment.shared().get(id(7), 1).await,
        Ok(SharedLookup::Hit(Some(program(7, 1))))
    );
    miss(&cache, 8).await;
}

#[tokio::test]
async fn a_reader_that_loaded_an_old_version_before_a_change_never_puts_it_back() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let old_reader = miss(&cache, 7).await;
    let old = program(7, 1);
    cache.raise(change(7, 2)).await.expect("Redis runs");
    assert_eq!(
        put(&cache, 7, &old_reader, Some(&old)).await,
        PutResult::Old
    );
    let new_reader = miss(&cache, 7).await;
    assert_eq!(
        put(&cache, 7, &new_reader, Some(&program(7, 2))).await,
        PutResult::Stored
    );
    assert_eq!(
        put(&cache, 7, &old_reader, Some(&old)).await,
        PutResult::Old
    );
    assert_eq!(
        cache.get(id(7), 1).await,
        Ok(SharedLookup::Hit(Some(program(7, 2))))
    );
}

#[tokio::test]
async fn a_slower_reader_does_not_replace_what_a_quicker_one_put_even_before_the_floor_rises() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let lease = miss(&cache, 7).await;
    assert_eq!(
        put(&cache, 7, &lease, Some(&program(7, 2))).await,
        PutResult::Stored
    );
    assert_eq!(
        put(&cache, 7, &lease, Some(&program(7, 1))).await,
        PutResult::Old
    );
    assert_eq!(put(&cache, 7, &lease, None).await, PutResult::Old);
}

#[tokio::test]
async fn a_risen_floor_drops_what_is_below_it_and_nothing_else() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let lease = miss(&cache, 7).await;
    put(&cache, 7, &lease, Some(&program(7, 2))).await;
    assert_eq!(
        cache.raise(change(7, 2)).await,
        Ok(Raised {
            rose: true,
            dropped: false
        })
    );
    assert_eq!(
        cache.raise(change(7, 3)).await,
        Ok(Raised {
            rose: true,
            dropped: true
        })
    );
    assert_eq!(cache.raise(change(7, 3)).await, Ok(Raised::default()));
    assert_eq!(
        cache.raise(change(7, 1)).await,
        Ok(Raised::default()),
        "a floor never falls"
    );
    let lease = miss(&cache, 7).await;
    assert_eq!(
        put(&cache, 7, &lease, Some(&program(7, 2))).await,
        PutResult::Old
    );
}

#[tokio::test]
async fn a_lease_from_before_the_server_lost_its_memory_puts_nothing() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let lease = miss(&cache, 7).await;
    let old = program(7, 1);
    cache.raise(change(7, 2)).await.expect("Redis runs");
    for key in ["floor", "body", "lease"] {
        let _: u64 = environment.query(&["DEL", &environment.key(7, key)]).await;
    }
    // The server has lost the floor, and the lease with it.
    assert_eq!(put(&cache, 7, &lease, Some(&old)).await, PutResult::NoLease);
    let lease = miss(&cache, 7).await;
    assert_eq!(
        put(&cache, 7, &lease, Some(&program(7, 2))).await,
        PutResult::Stored
    );
}

#[tokio::test]
async fn that_there_is_no_such_program_is_remembered_until_there_is_one() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let lease = miss(&cache, 7).await;
    assert_eq!(put(&cache, 7, &lease, None).await, PutResult::Stored);
    assert_eq!(cache.get(id(7), 1).await, Ok(SharedLookup::Hit(None)));
    assert_eq!(
        cache.raise(change(7, 1)).await,
        Ok(Raised {
            rose: true,
            dropped: true
        })
    );
    assert_eq!(put(&cache, 7, &lease, None).await, PutResult::Old);
}

#[tokio::test]
async fn a_floor_has_no_end_and_everything_else_has() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let lease = miss(&cache, 7).await;
    put(&cache, 7, &lease, Some(&program(7, 1))).await;
    cache.raise(change(7, 1)).await.expect("Redis runs");
    let mut ttl = BTreeMap::new();
    for key in ["floor", "body", "lease"] {
        ttl.insert(
            key,
            environment
                .query::<i64>(&["PTTL", &environment.key(7, key)])
                .await,
        );
    }
    assert_eq!(ttl["floor"], -1);
    assert!(
        ttl["body"] > 0 && ttl["body"] <= 3_600_000 && ttl["lease"] > 0 && ttl["lease"] <= 10_000,
        "{ttl:?}"
    );
}

#[tokio::test]
async fn an_unreadable_body_is_not_a_miss() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let _: u64 = environment
        .query(&[
            "HSET",
            &environment.key(7, "body"),
            "version",
            "1",
            "body",
            "{}",
        ])
        .await;
    assert_eq!(cache.get(id(7), 1).await, Ok(SharedLookup::Unreadable));
    let lease = miss(&cache, 8).await;
    put(&cache, 8, &lease, Some(&program(9, 1))).await;
    assert_eq!(
        cache.get(id(8), 1).await,
        Ok(SharedLookup::Unreadable),
        "another program's body"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_server_gives_up_bodies_and_never_a_floor() {
    let server = PrivateRedis::start(&["--maxmemory", "4mb", "--maxmemory-policy", "volatile-lru"]);
    let environment = TestEnvironment::at(&server.url(), std::time::Duration::from_secs(5));
    let cache = environment.shared();
    let large = |n| Program {
        title: "x".repeat(50_000),
        ..program(n, 1)
    };
    for n in 1..=200 {
        cache
            .raise(change(n, 1))
            .await
            .expect("a floor always rises");
        let lease = miss(&cache, n).await;
        assert_eq!(
            put(&cache, n, &lease, Some(&large(n))).await,
            PutResult::Stored
        );
    }
    let mut floors = 0;
    let mut bodies = 0;
    for n in 1..=200 {
        floors += environment
            .query::<u64>(&["EXISTS", &environment.key(n, "floor")])
            .await;
        bodies += environment
            .query::<u64>(&["EXISTS", &environment.key(n, "body")])
            .await;
    }
    assert_eq!(floors, 200);
    assert!(bodies < 200, "nothing was evicted: the test shows nothing");
    // With nothing left to evict, a floor rises still.
    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(
        cache.raise(change(1, 2)).await.map(|raised| raised.rose),
        Ok(true)
    );
}

/// What can happen around one program.
#[derive(Debug, Clone)]
enum Step {
    /// A reader looks; if it misses, it keeps the lease.
    Look(usize),
    /// It loads what is committed.
    Load(usize),
    /// It puts what it loaded.
    Put(usize),
    /// The program changes.
    Commit,
    /// The invalidator raises the floor to a committed version.
    Raise(i64),
    /// The server loses everything.
    Lose,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_usize..3).prop_map(Step::Look),
        3 => (0_usize..3).prop_map(Step::Load),
        3 => (0_usize..3).prop_map(Step::Put),
        2 => Just(Step::Commit),
        2 => (0_i64..3).prop_map(Step::Raise),
        1 => Just(Step::Lose),
    ];
    prop::collection::vec(step, 1..60)
}

/// Three readers, a promoter, an invalidator and a forgetful server, in any order: nothing below a
/// raised floor is ever served.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whatever_the_order_nothing_older_than_a_raised_floor_is_served() {
    let environment = TestEnvironment::open();
    let cache = environment.shared();
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(Config {
            cases: 150,
            failure_persistence: None,
            ..Config::default()
        });
        let program = 1_000_i64..1 << 50;
        runner.run(&(program, steps()), |(n, steps)| {
            runtime.block_on(play(&environment, &cache, n, steps))
        })
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
}

async fn play(
    environment: &TestEnvironment,
    cache: &SharedCache,
    n: i64,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut committed = 1;
    let mut raised = 0;
    let mut leases: [Option<PutLease>; 3] = [None, None, None];
    let mut loaded = [0_i64; 3];
    for step in steps {
        match step {
            Step::Look(reader) => match cache.get(id(n), rand::random()).await {
                Ok(SharedLookup::Hit(Some(found))) => {
                    prop_assert!(
                        found.version.get() >= raised,
                        "{} is served above floor {raised}",
                        found.version
                    );
                    leases[reader] = None;
                }
                Ok(SharedLookup::Miss(lease)) => {
                    leases[reader] = Some(lease);
                    loaded[reader] = 0;
                }
                other => prop_assert!(false, "{other:?}"),
            },
            Step::Load(reader) => loaded[reader] = committed,
            Step::Put(reader) => {
                if let (Some(lease), at @ 1..) = (&leases[reader], loaded[reader]) {
                    let answer = cache.put(id(n), lease, Some(&program(n, at)), LONG).await;
                    prop_assert!(
                        at >= raised || answer != Ok(PutResult::Stored),
                        "version {at} was put below floor {raised}"
                    );
                }
            }
            Step::Commit => committed += 1,
            Step::Raise(behind) => {
                let to = (committed - behind).max(1);
                cache.raise(change(n, to)).await.expect("Redis runs");
                raised = raised.max(to);
            }
            Step::Lose => {
                let keys = ["floor", "body", "lease"].map(|key| environment.key(n, key));
                let _: u64 = environment
                    .query(&["DEL", &keys[0], &keys[1], &keys[2]])
                    .await;
            }
        }
    }
    Ok(())
}

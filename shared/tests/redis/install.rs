//! Filling the gate.

use shared::gate::{
    Abandoned, Epoch, FillBegun, FillClaim, FillGrant, FillStart, InstallState, LiveOrder, Merged,
    Reserved, SettleTo, Settled,
};

use super::environment::{
    ENDS, TestEnvironment, best, category, chosen, mine, seat, settle_to, uid,
};
use testkit::redis::PrivateRedis;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_next_loader_resumes_after_the_lease() {
    let environment = TestEnvironment::at(&testkit::servers::redis_url(), &[(1, 10)]).await;
    let first = Epoch::new(1);
    let second = Epoch::new(2);
    let begin = async |loader, lease| {
        environment
            .gate
            .install_begin(&environment.program, None, loader, lease)
            .await
            .expect("answers")
    };
    assert_eq!(
        environment
            .gate
            .install_state(environment.at_program())
            .await,
        Ok(InstallState::Absent)
    );
    assert_eq!(begin(&first, 60_000).await, FillBegun::EndsNeeded);
    assert_eq!(environment.begin(ENDS, &first, 60_000).await, mine(""));
    assert!(matches!(
        environment.begin("{}", &second, 60_000).await,
        FillBegun::Busy {
            lease_left_ms: 1..=60_001
        }
    ));
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(environment.order(), "bob", best(1)))
            .await,
        Ok(Reserved::Loading)
    );
    assert_eq!(
        environment
            .gate
            .install_renew(environment.at_program(), &first, 60_000, Some("half"))
            .await,
        Ok(true)
    );
    assert_eq!(
        begin(&first, 1).await,
        mine("half"),
        "a repeat renews the lease"
    );
    let taken_over = loop {
        match begin(&second, 60_000).await {
            FillBegun::Busy { .. } => {}
            other => break other,
        }
    };
    assert_eq!(
        taken_over,
        mine("half"),
        "with the end offsets of the first, and where it stopped"
    );
    let program = environment.at_program();
    assert_eq!(environment.gate.fillings().await, Ok(vec![program]));
    assert_eq!(
        environment
            .gate
            .install_renew(program, &first, 60_000, Some("all"))
            .await,
        Ok(false)
    );
    assert_eq!(
        environment
            .gate
            .install_merge(program, &first, 60_000, &[])
            .await,
        Ok(Merged::Stale)
    );
    assert_eq!(
        environment.gate.install_open(program, &first).await,
        Ok(false)
    );
    assert_eq!(
        environment.gate.install_open(program, &second).await,
        Ok(true)
    );
    assert_eq!(
        environment.gate.install_open(program, &second).await,
        Ok(true),
        "repeated"
    );
    assert_eq!(
        environment
            .gate
            .install_merge(program, &second, 60_000, &[])
            .await,
        Ok(Merged::Stale),
        "open: settle is the only way now"
    );
    assert_eq!(begin(&first, 60_000).await, FillBegun::AlreadyOpen);
    assert_eq!(environment.gate.fillings().await, Ok(vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_install_from_before_a_loss_is_refused() {
    let mut server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(&server.url(), &[(1, 10)]).await;
    let slow = Epoch::new(1);
    let other = Epoch::new(2);
    let late = async |grant: &FillGrant, ends| {
        let start = FillStart { grant, ends };
        environment
            .gate
            .install_begin(&environment.program, Some(start), &slow, 60_000)
            .await
            .expect("answers")
    };
    // Barriers are valid for the gate that was claimed, not for a later one.
    let grant = environment.claim(&slow).await;
    server.run(&["FLUSHALL"]);
    assert_eq!(late(&grant, "{}").await, FillBegun::GrantLost);
    // Also if the claim is repeated.
    assert_ne!(environment.claim(&slow).await, grant);
    assert_eq!(late(&grant, ENDS).await, FillBegun::GrantLost);
    let grant = environment.claim(&slow).await;
    tokio::task::block_in_place(|| server.restart());
    assert_eq!(
        late(&grant, "{}").await,
        FillBegun::GrantLost,
        "the server may have gone back in time"
    );

    let grant = environment.claim(&slow).await;
    let busy = environment
        .gate
        .install_claim(environment.at_program(), &other, 60_000)
        .await;
    assert!(
        matches!(
            busy,
            Ok(FillClaim::Busy {
                lease_left_ms: 1..=60_000
            })
        ),
        "{busy:?}"
    );
    assert_eq!(late(&grant, ENDS).await, mine(""));
    assert_eq!(late(&grant, ENDS).await, mine(""), "repeated");
    assert_eq!(
        environment
            .gate
            .install_open(environment.at_program(), &slow)
            .await,
        Ok(true)
    );
    server.run(&["FLUSHALL"]);
    assert_eq!(
        late(&grant, ENDS).await,
        FillBegun::GrantLost,
        "a grant begins one filling"
    );
    assert_eq!(
        environment
            .gate
            .install_open(environment.at_program(), &slow)
            .await,
        Ok(false)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn merging_adds_live_orders_only() {
    let environment = TestEnvironment::at(&testkit::servers::redis_url(), &[(1, 10)]).await;
    let loader = Epoch::new(1);
    assert_eq!(environment.begin(ENDS, &loader, 60_000).await, mine(""));
    let live = environment.order();
    let ended = environment.order();
    let odd = environment.order();
    let gone = environment
        .gate
        .settle(&settle_to(ended, SettleTo::Gone { forget_key: false }))
        .await;
    assert_eq!(
        gone,
        Ok(Settled::Done {
            displaced: vec![],
            freed: 0
        }),
        "settle works behind closed doors"
    );
    let order = |at: shared::gate::OrderAt, seats: [u32; 2]| LiveOrder {
        order: at.order,
        nonce: at.nonce,
        user: uid("alice"),
        category: category(0),
        seats: seats.map(seat).to_vec(),
        due_in_ms: Some(60_000),
    };
    let orders = [
        order(live, [0, 1]),
        order(ended, [2, 3]),
        order(odd, [9, 10]),
    ];
    for _ in 0..2 {
        let merged = environment
            .gate
            .install_merge(environment.at_program(), &loader, 60_000, &orders)
            .await;
        assert_eq!(
            merged,
            Ok(Merged::Done {
                displaced: vec![],
                outside: vec![odd.order]
            })
        );
    }
    assert_eq!(environment.free().await, 8);
    assert!(
        environment.entry(live).await.is_some(),
        "its timeout is armed again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn filling_keeps_the_seats_of_reservations() {
    let mut server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(&server.url(), &[(3, 10)]).await;
    environment.install().await;
    let held = environment.order();
    let accepted = environment.order();
    let stored = environment.order();
    environment.held(held, "alice", chosen(&[0, 1])).await;
    environment.held(accepted, "bob", chosen(&[2, 3])).await;
    environment
        .gate
        .accept(accepted, 0, 5, 5, 60_000)
        .await
        .expect("answers");
    environment.held(stored, "carol", chosen(&[4, 5])).await;
    environment
        .gate
        .settle(&settle_to(stored, SettleTo::Live { due_in_ms: None }))
        .await
        .expect("answers");
    tokio::task::block_in_place(|| server.restart());

    assert_eq!(
        environment
            .gate
            .install_state(environment.at_program())
            .await,
        Ok(InstallState::Replaced)
    );
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(environment.order(), "dora", best(1)))
            .await,
        Ok(Reserved::Rebuild)
    );
    assert_eq!(environment.gate.abandon(held).await, Ok(Abandoned::Refused));
    environment.install().await;
    assert_eq!(
        environment.free().await,
        26,
        "the stored order is Postgres' to name"
    );
    assert_eq!(environment.gate.abandon(held).await, Ok(Abandoned::WasHeld));
    assert_eq!(
        environment.held(environment.order(), "dora", best(2)).await,
        [4, 5]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn after_a_flush_the_gate_must_be_filled() {
    let server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(&server.url(), &[(1, 10)]).await;
    environment.install().await;
    let at = environment.order();
    environment.held(at, "alice", best(2)).await;
    server.run(&["FLUSHALL"]);
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(environment.order(), "bob", best(1)))
            .await,
        Ok(Reserved::Rebuild)
    );
    assert_eq!(
        environment
            .gate
            .settle(&settle_to(at, SettleTo::Gone { forget_key: false }))
            .await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(
        environment.keys().await,
        Vec::<String>::new(),
        "nothing was written without a header"
    );
    environment.install().await;
    assert_eq!(environment.free().await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_largest_program_is_installed_and_searched() {
    let server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(&server.url(), &[(400, 500)]).await;
    environment.install().await;
    assert_eq!(
        environment
            .held(environment.order(), "alice", chosen(&[0, 199_999]))
            .await,
        [0, 199_999]
    );
    assert_eq!(
        environment.held(environment.order(), "bob", best(6)).await,
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(environment.free().await, 199_992);
}

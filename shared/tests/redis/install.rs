//! Step 7: filling the gate.

use shared::gate::{
    Abandoned, Epoch, FillBegun, FillClaim, FillGrant, FillStart, InstallState, LiveOrder, Merged,
    NamedOrder, OrderAt, Reserved, SettleTo, Settled,
};

use super::private::Private;
use super::stage::{ENDS, Stage, best, category, chosen, idem, mine, seat, settle_to, uid};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_loader_at_a_time_and_the_next_carries_on_when_the_lease_has_run_out() {
    let stage = Stage::at(&super::stage::shared_url(), &[(1, 10)]).await;
    let first = Epoch::new(1);
    let second = Epoch::new(2);
    let begin = async |loader, lease| {
        stage
            .gate
            .install_begin(&stage.program, None, loader, lease)
            .await
            .expect("answers")
    };
    assert_eq!(
        stage.gate.install_state(stage.at_program()).await,
        Ok(InstallState::Absent)
    );
    assert_eq!(begin(&first, 60_000).await, FillBegun::EndsNeeded);
    assert_eq!(stage.begin(ENDS, &first, 60_000).await, mine(""));
    assert!(matches!(
        stage.begin("{}", &second, 60_000).await,
        FillBegun::Busy {
            lease_left_ms: 1..=60_001
        }
    ));
    assert_eq!(
        stage
            .gate
            .reserve(&stage.wish(stage.order(), "bob", best(1)))
            .await,
        Ok(Reserved::Loading)
    );
    assert_eq!(
        stage
            .gate
            .install_renew(stage.at_program(), &first, 60_000, Some("half"))
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
    let program = stage.at_program();
    assert_eq!(stage.gate.fillings().await, Ok(vec![program]));
    assert_eq!(
        stage
            .gate
            .install_renew(program, &first, 60_000, Some("all"))
            .await,
        Ok(false)
    );
    assert_eq!(
        stage.gate.install_merge(program, &first, 60_000, &[]).await,
        Ok(Merged::Stale)
    );
    assert_eq!(stage.gate.install_open(program, &first).await, Ok(false));
    assert_eq!(stage.gate.install_open(program, &second).await, Ok(true));
    assert_eq!(
        stage.gate.install_open(program, &second).await,
        Ok(true),
        "repeated"
    );
    assert_eq!(
        stage
            .gate
            .install_merge(program, &second, 60_000, &[])
            .await,
        Ok(Merged::Stale),
        "open: settle is the only way now"
    );
    assert_eq!(begin(&first, 60_000).await, FillBegun::AlreadyOpen);
    assert_eq!(stage.gate.fillings().await, Ok(vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_install_delayed_past_a_loss_is_refused() {
    let mut server = Private::start(&[]);
    let stage = Stage::at(&server.url(), &[(1, 10)]).await;
    let slow = Epoch::new(1);
    let other = Epoch::new(2);
    let late = async |grant: &FillGrant, ends| {
        let start = FillStart { grant, ends };
        stage
            .gate
            .install_begin(&stage.program, Some(start), &slow, 60_000)
            .await
            .expect("answers")
    };
    // What a request has read, end offsets or that the program is new, holds for the gate that it
    // claimed, and for no later one.
    let grant = stage.claim(&slow).await;
    server.run(&["FLUSHALL"]);
    assert_eq!(late(&grant, "{}").await, FillBegun::GrantLost);
    // Even if the claim itself comes a second time.
    assert_ne!(stage.claim(&slow).await, grant);
    assert_eq!(late(&grant, ENDS).await, FillBegun::GrantLost);
    let grant = stage.claim(&slow).await;
    tokio::task::block_in_place(|| server.restart());
    assert_eq!(
        late(&grant, "{}").await,
        FillBegun::GrantLost,
        "the server may have gone back in time"
    );

    let grant = stage.claim(&slow).await;
    let busy = stage
        .gate
        .install_claim(stage.at_program(), &other, 60_000)
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
        stage.gate.install_open(stage.at_program(), &slow).await,
        Ok(true)
    );
    server.run(&["FLUSHALL"]);
    assert_eq!(
        late(&grant, ENDS).await,
        FillBegun::GrantLost,
        "a grant begins one filling"
    );
    assert_eq!(
        stage.gate.install_open(stage.at_program(), &slow).await,
        Ok(false)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn merging_brings_in_what_postgres_says_but_nothing_that_has_ended_or_does_not_exist() {
    let stage = Stage::at(&super::stage::shared_url(), &[(1, 10)]).await;
    let loader = Epoch::new(1);
    assert_eq!(stage.begin(ENDS, &loader, 60_000).await, mine(""));
    let live = stage.order();
    let ended = stage.order();
    let odd = stage.order();
    let gone = stage
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
        let merged = stage
            .gate
            .install_merge(stage.at_program(), &loader, 60_000, &orders)
            .await;
        assert_eq!(
            merged,
            Ok(Merged::Done {
                displaced: vec![],
                outside: vec![odd.order]
            })
        );
    }
    assert_eq!(stage.free().await, 8);
    assert!(
        stage.entry(live).await.is_some(),
        "its timeout is armed again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn restored_keys_lead_to_their_orders() {
    let stage = Stage::at(&super::stage::shared_url(), &[(1, 10)]).await;
    let loader = Epoch::new(1);
    assert_eq!(stage.begin(ENDS, &loader, 60_000).await, mine(""));
    let known = stage.order();
    let older = stage.order();
    let named = |at: OrderAt, key, body_hash: &str| NamedOrder {
        user: uid("alice"),
        key: idem(key),
        order: at.order,
        nonce: at.nonce,
        body_hash: body_hash.into(),
        ttl_ms: 60_000,
    };
    let keys = [named(known, "k", "01"), named(older, "o", "")];
    for _ in 0..2 {
        assert_eq!(
            stage
                .gate
                .install_keys(stage.at_program(), &loader, 60_000, &keys)
                .await,
            Ok(true)
        );
    }
    let stranger = Epoch::new(2);
    assert_eq!(
        stage
            .gate
            .install_keys(stage.at_program(), &stranger, 60_000, &keys)
            .await,
        Ok(false)
    );
    assert_eq!(
        stage.gate.install_open(stage.at_program(), &loader).await,
        Ok(true)
    );
    assert_eq!(
        stage
            .gate
            .install_keys(stage.at_program(), &loader, 60_000, &keys)
            .await,
        Ok(false),
        "open"
    );

    let ask = async |key, hash: &str| {
        let mut wish = stage.wish(stage.order(), "alice", best(1));
        wish.idempotency = Some((idem(key), hash.into()));
        stage.gate.reserve(&wish).await.expect("answers")
    };
    assert_eq!(
        ask("k", "01").await,
        Reserved::Ended {
            order: known.order,
            nonce: known.nonce
        }
    );
    assert_eq!(ask("k", "02").await, Reserved::KeyReused);
    // Of a row from before rows kept the hash: an order is never made twice, whatever the body
    // says.
    assert_eq!(
        ask("o", "02").await,
        Reserved::Ended {
            order: older.order,
            nonce: older.nonce
        }
    );
    let kept: u64 = stage.ask(&["PTTL", &stage.key("idem:17:5:alice:k")]).await;
    assert!((1..=60_000).contains(&kept), "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restarted_server_is_filled_again_and_keeps_the_seats_of_orders_on_their_way() {
    let mut server = Private::start(&[]);
    let stage = Stage::at(&server.url(), &[(3, 10)]).await;
    stage.install().await;
    let held = stage.order();
    let accepted = stage.order();
    let stored = stage.order();
    stage.held(held, "alice", chosen(&[0, 1])).await;
    stage.held(accepted, "bob", chosen(&[2, 3])).await;
    stage
        .gate
        .accept(accepted, 0, 5, 5, 60_000)
        .await
        .expect("answers");
    stage.held(stored, "carol", chosen(&[4, 5])).await;
    stage
        .gate
        .settle(&settle_to(stored, SettleTo::Live { due_in_ms: None }))
        .await
        .expect("answers");
    tokio::task::block_in_place(|| server.restart());

    assert_eq!(
        stage.gate.install_state(stage.at_program()).await,
        Ok(InstallState::Replaced)
    );
    assert_eq!(
        stage
            .gate
            .reserve(&stage.wish(stage.order(), "dora", best(1)))
            .await,
        Ok(Reserved::Rebuild)
    );
    assert_eq!(stage.gate.abandon(held, None).await, Ok(Abandoned::Refused));
    stage.install().await;
    assert_eq!(
        stage.free().await,
        26,
        "the stored order is Postgres' to name"
    );
    assert_eq!(stage.gate.abandon(held, None).await, Ok(Abandoned::WasHeld));
    assert_eq!(stage.held(stage.order(), "dora", best(2)).await, [4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn after_a_flush_the_gate_asks_to_be_filled() {
    let server = Private::start(&[]);
    let stage = Stage::at(&server.url(), &[(1, 10)]).await;
    stage.install().await;
    let at = stage.order();
    stage.held(at, "alice", best(2)).await;
    server.run(&["FLUSHALL"]);
    assert_eq!(
        stage
            .gate
            .reserve(&stage.wish(stage.order(), "bob", best(1)))
            .await,
        Ok(Reserved::Rebuild)
    );
    assert_eq!(
        stage
            .gate
            .settle(&settle_to(at, SettleTo::Gone { forget_key: false }))
            .await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(
        stage.keys().await,
        Vec::<String>::new(),
        "nothing was written without a header"
    );
    stage.install().await;
    assert_eq!(stage.free().await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hall_of_the_largest_size_is_installed_and_searched() {
    let server = Private::start(&[]);
    let stage = Stage::at(&server.url(), &[(400, 500)]).await;
    stage.install().await;
    assert_eq!(
        stage
            .held(stage.order(), "alice", chosen(&[0, 199_999]))
            .await,
        [0, 199_999]
    );
    assert_eq!(
        stage.held(stage.order(), "bob", best(6)).await,
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(stage.free().await, 199_992);
}
